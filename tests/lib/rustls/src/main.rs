// fetch HOST PATH ROOTS: one request by rustls, to port 443 of HOST; prints the status line, or why there is none. ROOTS is
// a PEM file of all that is trusted, or "built-in" for BUILT_IN_ROOTS of the environment in which this was compiled.
use std::io::{Read, Write};
use std::sync::Arc;

fn roots(pem: &str) -> rustls::RootCertStore {
    let mut store = rustls::RootCertStore::empty();
    for part in pem.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let text: String = part.split("-----END").next().unwrap().split_whitespace().collect();
        store.add(&rustls::Certificate(decode(&text))).expect("a root");
    }
    store
}

fn decode(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for c in text.chars().filter(|c| *c != '=') {
        bits = bits << 6 | alphabet.find(c).expect("base64") as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

fn fetch(host: &str, path: &str, pem: &str) -> Result<String, Box<dyn std::error::Error>> {
    let config = rustls::ClientConfig::builder()
        .with_safe_defaults()
        .with_root_certificates(roots(pem))
        .with_no_client_auth();
    let mut tls = rustls::ClientConnection::new(Arc::new(config), host.try_into()?)?;
    let mut tcp = std::net::TcpStream::connect((host, 443))?;
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or("").to_string())
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let pem = match args[3].as_str() {
        "built-in" => option_env!("BUILT_IN_ROOTS").expect("roots").to_string(),
        file => std::fs::read_to_string(file).expect("roots"),
    };
    match fetch(&args[1], &args[2], &pem) {
        Ok(line) => println!("{line}"),
        Err(e) => println!("error: {e}"),
    }
}
