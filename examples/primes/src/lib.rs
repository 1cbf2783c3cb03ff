// How many primes there are up to a number: work for the processor, and nothing to wait for.
//
//     curl "$URL/function/primes?up-to=10000000"

use dayfly::{Request, Response};
use std::error::Error;

const MOST: usize = 100_000_000;

pub fn handle(request: Request) -> Result<Response, Box<dyn Error>> {
    let given = request.query.split('&').find_map(|pair| pair.strip_prefix("up-to=")).unwrap_or("1000000");
    match given.parse() {
        Ok(limit) if limit <= MOST => {
            let answer = Response::status(200).header("content-type", "application/json");
            Ok(answer.body(format!("{{\"up_to\": {limit}, \"primes\": {}}}\n", count(limit))))
        }
        _ => Ok(Response::status(400).body(format!("up-to: a whole number, at most {MOST}\n"))),
    }
}

/// The sieve of Eratosthenes, over odd numbers alone.
fn count(limit: usize) -> usize {
    if limit < 2 {
        return 0;
    }
    let mut composite = vec![false; (limit + 1) / 2];
    let mut number = 3;
    while number * number <= limit {
        if !composite[number / 2] {
            for multiple in (number * number / 2..composite.len()).step_by(number) {
                composite[multiple] = true;
            }
        }
        number += 2;
    }
    composite.iter().filter(|&&is| !is).count() // index 0 stands for 1, and is counted for 2
}
