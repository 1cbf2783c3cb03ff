//! What a function is asked and what it answers; nothing but the standard library.

/// One call of the function.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// As it was called, percent-encoded, beginning with `/`.
    pub path: String,
    /// What follows `?`, percent-encoded; empty when there is none.
    pub query: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, however it is written.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is no UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What is answered. Text, bytes and nothing become one by themselves.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with this status, no headers and no body.
    pub fn status(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Response {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    /// The same with this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Response {
        self.body = body.into();
        self
    }
}

impl From<&str> for Response {
    fn from(text: &str) -> Response {
        Response::from(text.to_string())
    }
}

impl From<String> for Response {
    fn from(text: String) -> Response {
        Response::status(200).header("content-type", "text/plain; charset=utf-8").body(text)
    }
}

impl From<Vec<u8>> for Response {
    fn from(body: Vec<u8>) -> Response {
        Response::status(200).header("content-type", "application/octet-stream").body(body)
    }
}

impl From<()> for Response {
    fn from(_: ()) -> Response {
        Response::status(200)
    }
}
