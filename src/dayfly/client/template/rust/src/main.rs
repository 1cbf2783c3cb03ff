//! The program around a function: it serves HTTP on $PORT and passes each request to `handler::handle`.
//!
//! A connection has a thread. Who asks is the platform alone, which has judged every request before.

mod http;

use dayfly::{Request, Response};
use std::error::Error;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Connections served at once; a replica may have 512 threads and processes.
const MAX_CONNECTIONS: usize = 256;

fn main() {
    let port = std::env::var("PORT").expect("PORT: the port to serve");
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::env::set_var("RUST_BACKTRACE", "1"); // a panic tells the log where it came from
    }
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("PORT: it cannot be listened on");
    let places = Arc::new((Mutex::new(MAX_CONNECTIONS), Condvar::new()));
    for stream in listener.incoming().flatten() {
        let place = Place::take(&places);
        if let Err(error) = thread::Builder::new().spawn(move || serve(stream, place)) {
            eprintln!("a connection was dropped: {error}");
        }
    }
}

/// One of the places for connections, given back when it is dropped.
struct Place(Arc<(Mutex<usize>, Condvar)>);

impl Place {
    fn take(places: &Arc<(Mutex<usize>, Condvar)>) -> Place {
        let (free, freed) = &**places;
        *freed.wait_while(free.lock().unwrap(), |free| *free == 0).unwrap() -= 1;
        Place(Arc::clone(places))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0 .0.lock().unwrap() += 1;
        self.0 .1.notify_one();
    }
}

/// Answer the requests of one connection, until it is closed.
fn serve(stream: TcpStream, _place: Place) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(&stream);
    while let Ok(Some(incoming)) = http::read(&mut reader, &mut &stream) {
        let (head_only, keep) = (incoming.request.method == "HEAD", incoming.keep_alive);
        let answer = http::bytes(&answer(incoming.request), head_only, keep);
        if (&stream).write_all(&answer).is_err() || !keep {
            return;
        }
    }
}

/// Call the function; whatever goes wrong in it costs this one call.
fn answer(request: Request) -> Response {
    let call_id = request.header("x-call-id").unwrap_or_default().to_string();
    match panic::catch_unwind(AssertUnwindSafe(|| call(handler::handle, request))) {
        Ok(Ok(response)) if http::can_be_sent(&response) => response,
        Ok(Ok(_)) => {
            eprintln!("the answer has a status or header that cannot be sent (call {call_id})");
            http::problem("an error", &call_id)
        }
        Ok(Err(error)) => {
            eprintln!("error: {error} (call {call_id})");
            let mut cause = error.source();
            while let Some(each) = cause {
                eprintln!("  caused by: {each}");
                cause = each.source();
            }
            http::problem("an error", &call_id)
        }
        Err(_) => http::problem("a panic", &call_id),
    }
}

type Outcome = Result<Response, Box<dyn Error>>;

fn call<Kind>(handler: impl Handler<Kind>, request: Request) -> Outcome {
    handler.handle(request)
}

/// What `handle` may be: a function of the request, or as in OpenFaaS's `rust` template of the body alone.
trait Handler<Kind> {
    fn handle(&self, request: Request) -> Outcome;
}

impl<F, A, E> Handler<(Request, A, E)> for F
where
    F: Fn(Request) -> Result<A, E>,
    A: Into<Response>,
    E: Into<Box<dyn Error>>,
{
    fn handle(&self, request: Request) -> Outcome {
        self(request).map(Into::into).map_err(Into::into)
    }
}

impl<F, A, E> Handler<(Vec<u8>, A, E)> for F
where
    F: Fn(Vec<u8>) -> Result<A, E>,
    A: Into<Response>,
    E: Into<Box<dyn Error>>,
{
    fn handle(&self, request: Request) -> Outcome {
        self(request.body).map(Into::into).map_err(Into::into)
    }
}
