use dayfly::{Request, Response};
use std::error::Error;
use std::time::Duration;

pub fn handle(request: Request) -> Result<Response, Box<dyn Error>> {
    let end = request.body.iter().position(|&byte| byte == b'\n').unwrap_or(request.body.len());
    let first = String::from_utf8_lossy(&request.body[..end]).into_owned();
    let rest = request.body.get(end + 1..).unwrap_or_default().to_vec();
    let (command, argument) = first.split_once(' ').unwrap_or((&first, ""));
    match command {
        "echo" => return Ok(rest.into()),
        "tell" => {
            let mark = request.header("X-Mark").unwrap_or("");
            return Ok(format!("{} {} {} {mark}", request.method, request.path, request.query).into());
        }
        "answer" => return Ok(Response::status(418).header("X-Mark", "seen").body("short and stout")),
        "raise" => panic!("told on purpose"),
        "fail" => return Err("told on purpose".into()),
        "log" => {
            println!("to stdout: {}", String::from_utf8_lossy(&rest));
            eprintln!("to stderr: {}", String::from_utf8_lossy(&rest));
        }
        "env" => return Ok(std::env::var(argument).unwrap_or_default().into()),
        "sleep" => {
            std::thread::sleep(Duration::from_secs_f64(argument.parse()?));
            return Ok("awake".into());
        }
        _ => {}
    }
    Ok(().into())
}
