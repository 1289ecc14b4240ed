//! Names and sizes at the limits of the format: what is known before a byte is read, and how it is written.

use std::fs::{self, File};
use std::io::Read;

use daytona_context::{Context, Digest};

const GIB: u64 = 1024 * 1024 * 1024;

/// A path of this many bytes, in components that a file system takes.
fn name(length: usize) -> String {
    const COMPONENT: usize = 200;
    let mut name = String::new();
    while name.len() + COMPONENT + 1 < length {
        name.push_str(&"d".repeat(COMPONENT));
        name.push('/');
    }
    name.push_str(&"f".repeat(length - name.len()));
    name
}

#[test]
fn names_of_any_length_survive() {
    let lengths = (1..=20)
        .chain(95..=105)
        .chain(150..=160)
        .chain(200..=202)
        .chain(250..=260)
        .chain([300, 511, 512, 513, 1_000, 2_000, 4_000]);
    for length in lengths {
        let folder = tempfile::tempdir().unwrap();
        let name = name(length);
        assert_eq!(name.len(), length);
        let path = folder.path().join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "content").unwrap();
        let archive = Context::scan(folder.path()).unwrap().archives()[0].clone();
        let mut bytes = Vec::new();
        archive.write_to(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, archive.size(), "{length}");
        assert_eq!(archive.digest().unwrap(), Digest::of(&bytes), "{length}");
        let mut reader = tar::Archive::new(bytes.as_slice());
        let mut entries = reader.entries().unwrap();
        let mut entry = entries.next().unwrap().unwrap();
        assert_eq!(entry.path_bytes(), name.as_bytes(), "{length}");
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        assert_eq!(content, "content", "{length}");
        assert!(entries.next().is_none(), "{length}");
    }
}

/// Nothing of the holes is read: only headers, and what lies around the ends.
#[test]
fn a_layout_over_eight_gibibytes_is_known_without_reading() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [("a", 8 * GIB - 1), ("b", 8 * GIB), ("c", 20 * GIB + 7), ("d", 3)];
    for (name, size) in sizes {
        File::create(folder.path().join(name)).unwrap().set_len(size).unwrap();
    }
    let context = Context::scan(folder.path()).unwrap();
    // Each large file is an archive of its own; the small one stays with a neighbour or is one too.
    assert!((3..=4).contains(&context.archives().len()));
    let whole = context.in_one_archive();
    let archive = &whole.archives()[0];
    let mut position = 0;
    for (name, size) in sizes {
        let mut head = [0; 3 * 512];
        archive.read_from(position).read_exact(&mut head).unwrap();
        // The field of a ustar header holds eleven octal digits, 8 GiB less one byte; what is larger has a record.
        let has_record = size >= 8 * GIB;
        assert_eq!(head[156] == b'x', has_record, "{name}");
        let header = if has_record {
            let record = String::from_utf8_lossy(&head[512..1024]).into_owned();
            assert!(record.contains(&format!(" size={size}\n")), "{name}: {record:?}");
            position += 1024;
            &head[1024..]
        } else {
            &head[..512]
        };
        assert!(header.starts_with(name.as_bytes()) && header[156] == b'0', "{name}");
        position += 512 + size.next_multiple_of(512);
    }
    assert_eq!(archive.size(), position + 1024);
    let mut end = Vec::new();
    archive.read_from(position - 512).read_to_end(&mut end).unwrap();
    assert_eq!(end, [0; 3 * 512], "the small file's padded content and the end");
    let around = archive.size() - 1024 - 512 - 512 - 512;
    let mut header = [0; 512];
    archive.read_from(around + 512).read_exact(&mut header).unwrap();
    assert_eq!(header[0], b'd');
}
