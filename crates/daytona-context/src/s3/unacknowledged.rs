//! What this process has sent, and no peer has acknowledged yet.
//!
//! Linux tells it for each connection in `/proc/self/net/tcp`, in the column `tx_queue` (proc(5)). Elsewhere nobody is
//! asked: that takes unsafe code, or a connector of our own.

use std::collections::HashSet;
use std::fs;

/// Bytes in the send queues of all TCP connections of this process. `None` where the system does not tell.
///
/// It reads files of the system, which takes no longer than they are long.
pub(super) fn unacknowledged() -> Option<u64> {
    let tables: Vec<String> = ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .collect();
    let own = sockets()?;
    // One of them is missing where the system speaks one version of IP alone.
    let connections = tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .filter_map(connection);
    let queued = connections
        .filter(|(inode, _)| own.contains(*inode))
        .map(|(_, queued)| queued);
    (!tables.is_empty()).then(|| queued.sum())
}

/// The inodes of the sockets that this process has open.
fn sockets() -> Option<HashSet<String>> {
    let open = fs::read_dir("/proc/self/fd").ok()?.flatten();
    let targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    let inodes = targets.filter_map(|target| {
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(inode.to_owned())
    });
    Some(inodes.collect())
}

/// The inode of a row, and the bytes in its send queue.
fn connection(row: &str) -> Option<(&str, u64)> {
    let mut columns = row.split_whitespace();
    let (queued, _) = columns.nth(4)?.split_once(':')?;
    Some((columns.nth(4)?, u64::from_str_radix(queued, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_queue_and_an_inode() {
        let row = "   1: 0100007F:A1B2 0100007F:0050 01 0000FA00:00000000 01:00000018 00000000     0        0 731 2 0000 20 4 30 10 -1";
        assert_eq!(connection(row), Some(("731", 0xfa00)));
        assert_eq!(connection("  sl  local_address rem_address   st"), None);
    }

    /// Nobody reads: what the socket has accepted, less what the other side has room for, waits.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_waits_in_a_socket_is_counted() {
        use std::io::Write;

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sender.set_nonblocking(true).unwrap();
        while sender.write(&[0; 1024]).is_ok() {}
        assert!(unacknowledged().unwrap() > 0);
    }
}
