type Error = Box<dyn std::error::Error>;

pub fn handle(body: Vec<u8>) -> Result<Vec<u8>, Error> {
    let mut answer = b"got ".to_vec();
    answer.extend(body);
    Ok(answer)
}
