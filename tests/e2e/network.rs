//! A test's own loopback addresses and directory, so that tests run beside each other and beside a demo.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Addresses that one test has, and tests that share the first three octets of theirs.
const ADDRESSES: u8 = 16;
const TESTS_A_NET: u32 = 15;
/// Such nets that one process may use.
const NETS: u32 = 8;
static TESTS: AtomicU32 = AtomicU32::new(0);

pub struct Network {
    addresses: [u8; 3],
    directory: PathBuf,
}

impl Network {
    /// 127.x.y.0 to 127.x.y.15 and so on: x and y from the process's number, sixteen addresses a test.
    pub fn new() -> Network {
        let process = std::process::id();
        let test = TESTS.fetch_add(1, Ordering::Relaxed);
        assert!(test < NETS * TESTS_A_NET, "one process runs at most {} of these tests", NETS * TESTS_A_NET);
        let net = process.wrapping_mul(NETS) + test / TESTS_A_NET;
        let addresses = [64 + (net >> 8 & 0x7f) as u8, net as u8, (test % TESTS_A_NET) as u8 * ADDRESSES];
        let directory = std::env::temp_dir().join(format!("careline-e2e-{process}-{test}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the temporary directory takes a directory");
        Network { addresses, directory }
    }

    pub fn address(&self, index: u8) -> IpAddr {
        assert!(index < ADDRESSES, "a test has {ADDRESSES} addresses");
        let [x, y, first] = self.addresses;
        // An address that ends in 0 is a network's own in some tools.
        IpAddr::V4(Ipv4Addr::new(127, x, y, first + index + 1))
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the clients wrote is in {}", self.directory.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}
