//! A relay between clients and servers of this process.

use super::*;
use crate::line::Hold;

/// A server that answers each connection with what it was sent, when that has ended.
fn echo(mark: u8) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut said = vec![mark];
            // A connection that is reset has no more to say.
            if stream.read_to_end(&mut said).is_ok() {
                drop(stream.write_all(&said));
            }
        }
    });
    address
}

fn quick() -> Line {
    Line {
        delay: Duration::from_millis(1),
        of_connection: Some(50_000_000),
        in_all: Some(100_000_000),
        window: 40_000,
        buffers: 16 << 10,
        hold: None,
    }
}

#[test]
fn everything_arrives_unharmed_on_both_ways_and_at_its_server() {
    let relay = Relay::start(quick(), &[echo(1), echo(2)]).unwrap();
    let said: Vec<u8> = (0..1_000_000_u32)
        .map(|number| (number * 7 / 3).to_le_bytes()[0])
        .collect();
    for (server, mark) in [(0, 1), (1, 2)] {
        let mut stream = TcpStream::connect(relay.address(server)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let sent = said.clone();
        let writing = thread::spawn(move || {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        writing.join().unwrap();
        assert_eq!(heard[0], mark);
        assert!(heard[1..] == said, "{} bytes", heard.len());
    }
    let expected = Traffic {
        connections: 1,
        exchanges: 1,
        up: 1_000_000,
    };
    assert_eq!([relay.traffic(0), relay.traffic(1)], [expected; 2]);
}

#[test]
fn a_pause_loses_nothing_and_a_cut_line_ends_what_waits_on_it() {
    let pause = Hold {
        after: 10_000,
        pause: Some(Duration::from_millis(1)),
    };
    let held = Line {
        hold: Some(pause),
        ..quick()
    };
    let relay = Relay::start(held, &[echo(0)]).unwrap();
    let mut stream = TcpStream::connect(relay.address(0)).unwrap();
    stream.write_all(&vec![7; 30_000]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), 30_001);

    let for_ever = Line {
        hold: Some(Hold { after: 0, pause: None }),
        ..quick()
    };
    let relay = Relay::start(for_ever, &[echo(0)]).unwrap();
    let mut stream = TcpStream::connect(relay.address(0)).unwrap();
    stream.write_all(&[7; 100]).unwrap();
    drop(relay);
    let mut heard = Vec::new();
    drop(stream.read_to_end(&mut heard));
    assert!(heard.is_empty());
}
