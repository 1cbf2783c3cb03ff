//! A function: `handle` is called for each request. What is printed goes to the log: `dayfly logs`.

use dayfly::{Request, Response};
use std::error::Error;

/// Greet whoever the request names. An error becomes a 500, and its text a line of the log.
pub fn handle(request: Request) -> Result<Response, Box<dyn Error>> {
    let body = request.text();
    let name = match body.trim() {
        "" => "stranger",
        name => name,
    };
    Ok(format!("Hello, {name}!\n").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(body: &str) -> String {
        let answer = handle(Request { body: body.into(), ..Request::default() }).unwrap();
        String::from_utf8(answer.body).unwrap()
    }

    #[test]
    fn it_greets_by_name() {
        assert_eq!(call("Dayfly\n"), "Hello, Dayfly!\n");
    }

    #[test]
    fn it_greets_whoever_gives_no_name() {
        assert_eq!(call(""), "Hello, stranger!\n");
    }
}
