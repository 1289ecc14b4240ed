//! Where the members of a plain tar archive are.
//!
//! The headers are read, the contents are not: they are found again by their offset. The crate `tar` parses the headers, but
//! going through the members is done here, because it would read a name of any length into memory.

use std::io::{self, Read, Seek, SeekFrom};

use tar::{EntryType, Header, PaxExtensions};

/// Names and PAX records may have so many bytes.
const LARGEST_RECORD: u64 = 1024 * 1024;

/// A member whose bytes are all there.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) kind: EntryType,
    pub(super) mode: u32,
    /// Where its bytes begin.
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Goes through an archive of `length` bytes, and calls `each` for every member, until one cannot be read.
pub(super) fn members<R: Read + Seek>(
    archive: &mut R,
    length: u64,
    mut each: impl FnMut(Member) -> io::Result<()>,
) -> io::Result<()> {
    let mut position = 0;
    let (mut long_name, mut long_size) = (None, None);
    loop {
        if position == length {
            return Ok(());
        }
        archive.seek(SeekFrom::Start(position))?;
        let mut block = [0; 512];
        archive.read_exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let header = Header::from_byte_slice(&block);
        if header.cksum()? != checksum(&block) {
            return Err(broken("its header is damaged"));
        }
        let kind = header.entry_type();
        let size = match long_size.take() {
            Some(size) if !is_record(kind) => size,
            _ => header.entry_size()?,
        };
        let offset = position + 512;
        let end = offset.checked_add(size).filter(|end| *end <= length);
        let end = end.ok_or_else(|| broken("it ends in the middle of a member"))?;
        position = end.next_multiple_of(512).min(length);
        if is_record(kind) {
            if size > LARGEST_RECORD {
                return Err(broken("the name of a member is too long"));
            }
            let mut record = vec![0; usize::try_from(size).unwrap_or_default()];
            archive.read_exact(&mut record)?;
            match kind {
                EntryType::GNULongName => {
                    let length = record.iter().position(|byte| *byte == 0).unwrap_or(record.len());
                    record.truncate(length);
                    long_name = Some(record);
                }
                EntryType::XHeader => (long_name, long_size) = pax(&record, long_name)?,
                _ => {}
            }
            continue;
        }
        each(Member {
            name: long_name.take().unwrap_or_else(|| header.path_bytes().into_owned()),
            kind,
            mode: header.mode()?,
            offset,
            size,
        })?;
    }
}

/// Whether it says something of the next member, or of all of them, and is none itself.
fn is_record(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
    )
}

/// The path and the size that PAX records give.
fn pax(record: &[u8], mut name: Option<Vec<u8>>) -> io::Result<(Option<Vec<u8>>, Option<u64>)> {
    let mut size = None;
    for extension in PaxExtensions::new(record) {
        let extension = extension?;
        match extension.key_bytes() {
            b"path" => name = Some(extension.value_bytes().to_vec()),
            b"size" => {
                let value = extension.value().ok().and_then(|value| value.parse().ok());
                size = Some(value.ok_or_else(|| broken("the size of a member is no number"))?);
            }
            _ => {}
        }
    }
    Ok((name, size))
}

/// The sum of the header's bytes, with blanks in place of the sum.
fn checksum(block: &[u8; 512]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
