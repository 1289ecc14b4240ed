//! The name of an archive: the hash of its bytes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of an archive's bytes, written as 64 lower-case hex digits.
///
/// ```
/// use daytona_context::Digest;
///
/// let digest = Digest::of(b"archive");
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(crate) fn finish(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest in the key of a context archive, `<prefix>/<digest>/context.tar`.
    ///
    /// ```
    /// use daytona_context::Digest;
    ///
    /// let digest = Digest::of(b"archive");
    /// assert_eq!(Digest::from_key(&format!("org/{digest}/context.tar")), Some(digest));
    /// assert_eq!(Digest::from_key("org/other.tar"), None);
    /// ```
    pub fn from_key(key: &str) -> Option<Self> {
        let (before, _) = key.rsplit_once('/')?;
        let digest = before.rsplit_once('/').map_or(before, |(_, digest)| digest);
        digest.parse().ok()
    }
}

/// Text that is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hex digits")]
pub struct InvalidDigest(());

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let mut bytes = [0; 32];
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if is_lower => Ok(Self(bytes)),
            _ => Err(InvalidDigest(())),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_digest_are_the_same_thing() {
        let digest = Digest::of(b"bytes");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(hex::encode(digest.as_bytes()), digest.to_string());
        let text = digest.to_string();
        for wrong in [
            "",
            "ab",
            &text[1..],
            &format!("{text}0"),
            &text.to_uppercase(),
            &"g".repeat(64),
            &"é".repeat(32),
        ] {
            assert_eq!(wrong.parse::<Digest>(), Err(InvalidDigest(())), "{wrong}");
        }
    }
}
