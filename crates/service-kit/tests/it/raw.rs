//! HTTP/2 frame by frame (RFC 9113), for what no client library would send.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::soon;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A connection that has begun.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[]).await
    }

    /// Has no room for the body of any answer.
    pub(crate) async fn connect_without_room(address: SocketAddr) -> Self {
        // SETTINGS_INITIAL_WINDOW_SIZE
        Self::connect_with(address, &[0, 4, 0, 0, 0, 0]).await
    }

    async fn connect_with(address: SocketAddr, settings: &[u8]) -> Self {
        let mut stream = soon(TcpStream::connect(address)).await.unwrap();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let mut raw = Self(stream);
        raw.send(SETTINGS, 0, 0, settings).await.unwrap();
        raw
    }

    pub(crate) async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await
    }

    /// The kind of the next frame, and what is in it.
    pub(crate) async fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await?;
        Ok((head[3], payload))
    }

    /// Reads until a frame of this kind comes; what is in it.
    pub(crate) async fn until(&mut self, awaited: u8) -> Vec<u8> {
        loop {
            let (kind, payload) = soon(self.receive()).await.unwrap();
            if kind == awaited {
                return payload;
            }
        }
    }

    /// Reads until the server closes; whether it said why (GOAWAY), with which error code.
    pub(crate) async fn closed(mut self) -> Option<u32> {
        let mut code = None;
        while let Ok((kind, payload)) = soon(self.receive()).await {
            if kind == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        code
    }
}

/// The head of a call, compressed (RFC 7541) without the help of any table.
pub(crate) fn head(path: &str) -> Vec<u8> {
    let mut head = vec![0x83, 0x86];
    for (name, value) in [(4, path), (1, "test")] {
        head.extend([name, u8::try_from(value.len()).unwrap()]);
        head.extend(value.as_bytes());
    }
    head.extend(field("content-type", "application/grpc"));
    head.extend(field("te", "trailers"));
    head
}

/// One more field of a head.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        field.push(u8::try_from(text.len()).unwrap());
        field.extend(text.as_bytes());
    }
    field
}
