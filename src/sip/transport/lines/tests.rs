//! The sockets of a line, with real peers on loopback.

use super::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];
const PING: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n";

fn lines(limits: Streams) -> (Lines, SocketAddr) {
    let lines = Lines::bind(&["127.0.0.1:0".parse().unwrap()], &BOTH, limits).unwrap();
    let local = lines.locals()[0];
    (lines, local)
}

async fn next(lines: &mut Lines) -> Arrival {
    let mut room = vec![0; super::super::DATAGRAM_MAX];
    tokio::time::timeout(Duration::from_secs(20), lines.next(&mut room)).await.expect("something comes")
}

async fn message(lines: &mut Lines) -> (Flow, Vec<u8>) {
    match next(lines).await {
        Arrival::Message(flow, bytes) => (flow, bytes),
        other => panic!("{other:?}"),
    }
}

async fn closed(lines: &mut Lines) -> Flow {
    match next(lines).await {
        Arrival::Closed(flow) => flow,
        other => panic!("{other:?}"),
    }
}

/// Reads to the end while the centre's side is driven.
async fn rest(lines: &mut Lines, peer: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut room = vec![0; super::super::DATAGRAM_MAX];
    loop {
        tokio::select! {
            read = peer.read_buf(&mut heard) => if read.unwrap_or(0) == 0 { return heard },
            _ = lines.next(&mut room) => {}
        }
    }
}

#[tokio::test]
async fn udp_and_tcp_share_a_port() {
    let (mut lines, local) = lines(Streams::default());
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"hello", local).unwrap();
    let Arrival::Datagram(flow, 5) = next(&mut lines).await else { panic!() };
    assert_eq!(flow, Flow::udp(local, peer.local_addr().unwrap()));
    let mut stream = TcpStream::connect(local).await.unwrap();
    stream.write_all(PING).await.unwrap();
    let (flow, bytes) = message(&mut lines).await;
    assert_eq!((flow.remote, flow.transport, bytes), (stream.local_addr().unwrap(), Transport::Tcp, PING.to_vec()));
    let taken = Lines::bind(&[local], &BOTH, Streams::default()).unwrap_err();
    assert!(taken.kind() == io::ErrorKind::AddrInUse && taken.to_string().contains(&local.to_string()), "{taken}");
}

#[tokio::test]
async fn an_answer_goes_back_on_its_connection_and_a_ping_gets_one_too() {
    let (mut lines, local) = lines(Streams::default());
    let mut peer = TcpStream::connect(local).await.unwrap();
    peer.write_all(&[PING, b"\r\n\r\n"].concat()).await.unwrap();
    let (flow, _) = message(&mut lines).await;
    lines.send(flow, b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n");
    // Whoever says no more still hears the answer.
    peer.shutdown().await.unwrap();
    let heard = String::from_utf8(rest(&mut lines, &mut peer).await).unwrap();
    assert!(heard.contains("200 OK") && heard.len() == 24 + 2, "{heard:?}");
    assert_eq!(lines.connections(), 0);
    lines.send(flow, b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n");
    assert_eq!(lines.connections(), 0, "a response opens nothing");
}

#[tokio::test]
async fn a_request_opens_a_connection_once_or_says_that_it_cannot() {
    let (mut lines, local) = lines(Streams::default());
    let station = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = Flow { local, remote: station.local_addr().unwrap(), transport: Transport::Tcp };
    lines.send(flow, PING);
    lines.send(flow, PING);
    let (mut peer, from) = station.accept().await.unwrap();
    assert_eq!(from.ip(), local.ip());
    let mut heard = vec![0; 2 * PING.len()];
    peer.read_exact(&mut heard).await.unwrap();
    assert_eq!((heard, lines.connections()), ([PING, PING].concat(), 1));
    lines.close(flow);
    assert_eq!(closed(&mut lines).await, flow);
    assert_eq!(peer.read(&mut [0; 8]).await.unwrap(), 0);
    drop(station);
    lines.send(flow, PING);
    assert_eq!(closed(&mut lines).await, flow);
    assert_eq!(lines.connections(), 0);
}

#[tokio::test]
async fn what_cannot_be_framed_is_the_last_that_is_read() {
    let (mut lines, local) = lines(Streams { half: Duration::from_millis(50), ..Streams::default() });
    for sent in [&b"OPTIONS sip:a SIP/2.0\r\n\r\nOPTIONS"[..], b"OPTIONS sip:a SIP/2.0\r\nl: 9\r\n\r\nabc"] {
        let mut peer = TcpStream::connect(local).await.unwrap();
        peer.write_all(sent).await.unwrap();
        let (flow, bytes) = message(&mut lines).await;
        assert_eq!(bytes, sent);
        lines.send(flow, b"SIP/2.0 400 Bad Request\r\nl: 0\r\n\r\n");
        assert!(rest(&mut lines, &mut peer).await.starts_with(b"SIP/2.0 400"));
    }
    assert_eq!(lines.connections(), 0);
}

#[tokio::test]
async fn idle_and_surplus_connections_are_closed() {
    let (mut lines, local) = lines(Streams { per_source: 1, idle: Duration::from_millis(200), ..Streams::default() });
    let mut first = TcpStream::connect(local).await.unwrap();
    first.write_all(PING).await.unwrap();
    let (flow, _) = message(&mut lines).await;
    let mut second = TcpStream::connect(local).await.unwrap();
    assert_eq!(rest(&mut lines, &mut second).await, b"");
    assert_eq!(lines.connections().min(1), lines.connections(), "never two");
    let mut left = Vec::new();
    while lines.connections() > 0 {
        left.push(closed(&mut lines).await);
    }
    assert!(left.is_empty() || left == [flow]);
    assert_eq!(first.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_busy_address_starves_no_other() {
    let addresses = ["127.0.0.1:0", "127.0.0.2:0"].map(|address| address.parse().unwrap());
    let mut lines = Lines::bind(&addresses, &[Transport::Udp], Streams::default()).unwrap();
    let (busy, other) = (lines.locals()[0], lines.locals()[1]);
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..10 {
        peer.send_to(b"flood", busy).unwrap();
    }
    peer.send_to(b"call", other).unwrap();
    peer.send_to(b"call", other).unwrap();
    let mut waited = 0;
    while !matches!(next(&mut lines).await, Arrival::Datagram(flow, _) if flow.local == other) {
        waited += 1;
    }
    assert!(waited <= 2, "after {waited} of the other's");
    let mut room = vec![0; super::super::DATAGRAM_MAX];
    let burst: Vec<SocketAddr> = (0..3).filter_map(|_| Some(lines.try_receive(&mut room)?.0.local)).collect();
    assert!(burst.contains(&other), "{burst:?}");
}

#[tokio::test]
async fn a_slow_reader_is_closed_and_never_waited_for() {
    let (mut lines, local) = lines(Streams::default());
    let mut peer = TcpStream::connect(local).await.unwrap();
    peer.write_all(PING).await.unwrap();
    let (flow, _) = message(&mut lines).await;
    let big = [&b"SIP/2.0 200 OK\r\n\r\n"[..], &[b'x'; 60_000]].concat();
    let mut sent = 0;
    while lines.connections() > 0 {
        lines.send(flow, &big);
        sent += 1;
        assert!(sent < 10_000, "the queue is bounded");
    }
    assert_eq!(closed(&mut lines).await, flow);
}
