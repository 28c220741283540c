//! One HTTP request on a connection of its own.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zk_roster::Endpoint;

/// `GET /`, as plainly as possible.
pub(crate) async fn get(endpoint: Endpoint, connect_timeout: Duration) -> io::Result<()> {
    let connecting = TcpStream::connect(endpoint.to_string());
    let mut stream = match timeout(connect_timeout, connecting).await {
        Ok(connected) => connected?,
        Err(_) => return Err(io::ErrorKind::HostUnreachable.into()),
    };
    let request = format!("GET / HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let is_whole = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('\n');
    is_whole.then_some(()).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
