//! Removes the client's secrets from text of others: a server or proxy may repeat what it was sent.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use daytona_context::BoxError;
use secrecy::{ExposeSecret, SecretString};

use crate::text::with_causes;

/// The text in place of a secret.
const CUT: &str = "[secret]";

/// How many secrets are remembered. Tokens and storage credentials are replaced from time to time.
const MOST: usize = 32;

/// The first of these belong to the client's settings. They are never forgotten.
const KEPT: usize = 8;

/// A shorter secret protects nothing, and removing it would damage every text.
const SHORTEST: usize = 4;

/// A secret of at least this length is removed wherever it appears. A shorter one could be a part of any word.
const UNMISTAKABLE: usize = 8;

/// The current and recent secrets of a client.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<Vec<SecretString>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Remembers a secret.
    pub(crate) fn know(&self, secret: &str) {
        let secret = secret.trim();
        let is_word = secret.chars().all(char::is_alphabetic);
        if secret.len() < SHORTEST || secret.len() < UNMISTAKABLE && is_word {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.iter().any(|other| other.expose_secret() == secret) {
            return;
        }
        if known.len() == MOST {
            known.remove(KEPT);
        }
        known.push(SecretString::from(secret));
    }

    /// The text without the secrets.
    pub(crate) fn cut(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for secret in known.iter() {
            let secret = secret.expose_secret();
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            text = text.replace(secret, CUT).replace(&encoded, CUT);
        }
        text
    }

    /// The error, or only its text without the secret if it contains one.
    pub(crate) fn cut_error<E>(&self, error: E) -> BoxError
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let text = with_causes(&error);
        let without = self.cut(&text);
        if without == text {
            Box::new(error)
        } else {
            without.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_out_and_words_are_not() {
        let secrets = Secrets::default();
        for secret in ["dtn_0123456789", "key", "a+b/c==+d", "dtn_key", ".", "1"] {
            secrets.know(secret);
        }
        assert_eq!(
            secrets.cut("the key dtn_0123456789, dtn_key, a+b/c==+d or a%2Bb%2Fc%3D%3D%2Bd. 1 limit"),
            "the key [secret], [secret], [secret] or [secret]. 1 limit"
        );
    }

    #[test]
    fn the_first_are_kept_and_old_ones_are_forgotten() {
        let secrets = Secrets::default();
        for number in 0..100 {
            secrets.know(&format!("secret-{number:04}"));
        }
        assert_eq!(
            secrets.cut("secret-0000 secret-0007 secret-0099"),
            "[secret] [secret] [secret]"
        );
        assert_eq!(secrets.cut("secret-0008"), "secret-0008");
    }

    #[test]
    fn an_error_with_a_secret_is_reduced_to_its_text() {
        let secrets = Secrets::default();
        secrets.know("dtn_0123456789");
        let error = std::io::Error::other("refused: Bearer dtn_0123456789");
        assert_eq!(secrets.cut_error(error).to_string(), "refused: Bearer [secret]");
    }
}
