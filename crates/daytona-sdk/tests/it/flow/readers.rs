//! What is stored, as the readers that everybody has on Linux read it.

use std::io::Write;
use std::process::{Command, Stdio};

use daytona_emulator::Emulator;

use super::sample;
use crate::support::{app_plan, in_process};

#[tokio::test]
async fn what_is_stored_is_the_folder() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = sample();
    let pushed = daytona
        .snapshots()
        .process_image_context(&app_plan(folder.path()))
        .await
        .unwrap();
    let objects = emulator.objects();
    let [object] = objects.as_slice() else {
        panic!("one archive, not {objects:?}")
    };
    let bytes = object.read().unwrap();
    assert_eq!((pushed.sent, pushed.skipped), (bytes.len() as u64, 0));

    // The key is the hash.
    let hash = pushed.hashes[0].to_string();
    assert_eq!(object.key, format!("{}/{hash}/context.tar", emulator.organization_id()));
    let stored = folder.path().join("context.tar");
    std::fs::write(&stored, &bytes).unwrap();
    let sum = output(Command::new("sha256sum").arg(&stored), b"");
    assert!(sum.starts_with(&hash), "{sum}");

    // Names, modes, owners and times, as GNU tar reads them.
    let listing = output(
        Command::new("tar")
            .args([
                "--list",
                "--verbose",
                "--numeric-owner",
                "--utc",
                "--quoting-style=literal",
                "-f",
            ])
            .arg(&stored),
        b"",
    );
    let rows: Vec<Vec<&str>> = listing.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        ("-rw-r--r--", "22", "app/a file with blanks"),
        ("-rw-r--r--", "512", "app/block"),
        ("-rw-r--r--", "0", "app/empty"),
        ("-rw-r--r--", "22", "app/größe-日本.txt"),
        ("-rw-r--r--", "3145729", "app/large"),
        ("-rw-r--r--", "11", "app/main.py"),
        ("-rwxr-xr-x", "10", "app/run.sh"),
        ("-rw-r--r--", "21", "app/sub/deep/data.txt"),
    ];
    for (row, (mode, size, name)) in rows.iter().zip(expected) {
        let shown = (row[0], row[1], row[2], row[3], row[4], row[5..].join(" "));
        assert_eq!(shown, (mode, "0/0", size, "1970-01-01", "00:00", name.to_owned()));
    }
    assert_eq!(rows.len(), expected.len());

    // The bytes, as Python's tarfile reads them.
    let script = "import sys, tarfile, os\n\
                  for member in tarfile.open(sys.argv[1], 'r:'):\n    \
                  data = tarfile.open(sys.argv[1], 'r:').extractfile(member.name).read()\n    \
                  assert data == open(os.path.join(sys.argv[2], member.name), 'rb').read(), member.name\n    \
                  print(member.name)\n";
    let names = output(
        Command::new("python3")
            .args(["-X", "utf8", "-"])
            .arg(&stored)
            .arg(folder.path()),
        script.as_bytes(),
    );
    assert_eq!(names.lines().collect::<Vec<_>>(), expected.map(|(_, _, name)| name));
}

/// Runs a program that every machine of ours has, and returns what it prints.
fn output(command: &mut Command, input: &[u8]) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
