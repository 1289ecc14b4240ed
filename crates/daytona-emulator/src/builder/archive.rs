//! Where the members of a plain tar archive are.
//!
//! The headers are read, the contents are not: they are found again by their offset. The crate `tar` parses the
//! headers, but going through the members is done here, because it would read a name of any length into memory.

use std::io::{self, Read, Seek, SeekFrom};

use tar::{EntryType, Header, PaxExtensions};

/// The most bytes in a name or a PAX record.
const LARGEST_RECORD: u64 = 1024 * 1024;

/// A member whose bytes are all there.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    /// The path of a link.
    pub(super) link: Vec<u8>,
    pub(super) kind: EntryType,
    pub(super) mode: u32,
    /// User and group.
    pub(super) owner: (u64, u64),
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
    let mut extended = Extended::default();
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
        let size = match extended.size {
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
                EntryType::GNULongName => extended.name = Some(until_zero(record)),
                EntryType::GNULongLink => extended.link = Some(until_zero(record)),
                EntryType::XHeader => extended.read(&record)?,
                _ => {}
            }
            continue;
        }
        let said = std::mem::take(&mut extended);
        let link = said
            .link
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        each(Member {
            name: said.name.unwrap_or_else(|| header.path_bytes().into_owned()),
            link: link.unwrap_or_default(),
            kind,
            mode: header.mode()?,
            // Fields that are left empty say root.
            owner: (
                said.user.or(header.uid().ok()).unwrap_or_default(),
                said.group.or(header.gid().ok()).unwrap_or_default(),
            ),
            offset,
            size,
        })?;
    }
}

fn until_zero(mut record: Vec<u8>) -> Vec<u8> {
    let length = record.iter().position(|byte| *byte == 0).unwrap_or(record.len());
    record.truncate(length);
    record
}

/// Whether it says something of the next member, or of all of them, and is none itself.
fn is_record(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
    )
}

/// What records before a header say of its member.
#[derive(Debug, Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    user: Option<u64>,
    group: Option<u64>,
}

impl Extended {
    /// Takes over what PAX records say.
    fn read(&mut self, record: &[u8]) -> io::Result<()> {
        for extension in PaxExtensions::new(record) {
            let extension = extension?;
            let number = || {
                let value = extension.value().ok().and_then(|value| value.parse().ok());
                value.ok_or_else(|| broken("a number in the header of a member is none"))
            };
            match extension.key_bytes() {
                b"path" => self.name = Some(extension.value_bytes().to_vec()),
                b"linkpath" => self.link = Some(extension.value_bytes().to_vec()),
                b"size" => self.size = Some(number()?),
                b"uid" => self.user = Some(number()?),
                b"gid" => self.group = Some(number()?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The sum of the header's bytes, with blanks in place of the sum.
fn checksum(block: &[u8; 512]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
