//! As much of HTTP/1.1 as the platform speaks to a function: requests whole, answers whole, connections kept.

use dayfly::{Request, Response};
use std::io::{self, BufRead, Error, ErrorKind, Read, Write};

const MAX_HEAD_BYTES: u64 = 1 << 20;

/// A request, and whether its connection goes on after it.
pub struct Incoming {
    pub request: Request,
    pub keep_alive: bool,
}

/// The next request; none when the connection was closed between two.
pub fn read(reader: &mut impl BufRead, writer: &mut impl Write) -> io::Result<Option<Incoming>> {
    let mut head = reader.take(MAX_HEAD_BYTES);
    let first = line(&mut head)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().ok_or_else(malformed)?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request { method: method.into(), path: path.into(), query: query.into(), ..Request::default() };
    loop {
        let text = line(&mut head)?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').ok_or_else(malformed)?;
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    if has(&request, "expect", "100-continue") {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = body(&request, reader)?;
    let keep_alive = !has(&request, "connection", "close");
    Ok(Some(Incoming { request, keep_alive }))
}

fn body(request: &Request, reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if has(request, "transfer-encoding", "chunked") {
        while let size @ 1.. = chunk_size(&line(reader)?)? {
            take(reader, size, &mut body)?;
            line(reader)?;
        }
        while !line(reader)?.is_empty() {} // trailers
    } else if let Some(length) = request.header("content-length") {
        take(reader, length.parse().map_err(|_| malformed())?, &mut body)?;
    }
    Ok(body)
}

fn take(reader: &mut impl BufRead, size: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if reader.take(size).read_to_end(body)? as u64 != size {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn chunk_size(text: &str) -> io::Result<u64> {
    let digits = text.split(';').next().unwrap_or("").trim();
    u64::from_str_radix(digits, 16).map_err(|_| malformed())
}

/// A line without its end; empty for an empty one, and at the end of what can be read.
fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut raw = Vec::new();
    reader.read_until(b'\n', &mut raw)?;
    if !raw.is_empty() && !raw.ends_with(b"\n") {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    while matches!(raw.last(), Some(b'\r' | b'\n')) {
        raw.pop();
    }
    // Header values may hold any byte; each becomes the letter of its number, as Latin-1 has it.
    Ok(raw.iter().map(|&byte| byte as char).collect())
}

fn has(request: &Request, name: &str, value: &str) -> bool {
    request.header(name).map_or(false, |found| found.eq_ignore_ascii_case(value))
}

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "not an HTTP request")
}

/// Whether an answer's status and headers can be sent as they are.
pub fn can_be_sent(response: &Response) -> bool {
    let fits = |text: &str| !text.contains(['\r', '\n', '\0']);
    let named = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    (200..600).contains(&response.status)
        && response.headers.iter().all(|(name, value)| named(name) && fits(value))
}

/// An answer as it goes over the wire. How long it is and whether the connection stays is ours to say.
pub fn bytes(response: &Response, head_only: bool, keep_alive: bool) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status)).into_bytes();
    for (name, value) in &response.headers {
        let name = name.to_ascii_lowercase();
        if !["content-length", "transfer-encoding", "connection", "keep-alive"].contains(&name.as_str()) {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    if !keep_alive {
        out.extend_from_slice(b"connection: close\r\n");
    }
    if matches!(response.status, 204 | 304) {
        out.extend_from_slice(b"\r\n");
        return out;
    }
    out.extend_from_slice(format!("content-length: {}\r\n\r\n", response.body.len()).as_bytes());
    if !head_only {
        out.extend_from_slice(&response.body);
    }
    out
}

/// The answer to a call that failed, as every language of the platform tells it (RFC 9457).
pub fn problem(kind: &str, call_id: &str) -> Response {
    let call_id: String = call_id.chars().filter(|each| each.is_ascii_alphanumeric() || "._-".contains(*each)).collect();
    Response::status(500).header("content-type", "application/problem+json").body(format!(
        "{{\"type\":\"urn:dayfly:problem:function_failed\",\"title\":\"Internal Server Error\",\"status\":500,\
         \"detail\":\"the function raised {kind}; its log has the traceback\",\"code\":\"function_failed\",\
         \"call_id\":\"{call_id}\"}}"
    ))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}
