//! Values that BuildKit checks once their variables are known.

/// The mode of `--chmod`: octal up to 07777, or symbolic as `chmod` takes it.
pub(super) fn mode(value: &str) -> Result<(), String> {
    let is_octal = value.bytes().all(|byte| byte.is_ascii_digit())
        && u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o7777);
    if value.is_empty() || is_octal || value.split(',').all(is_symbolic_mode) {
        Ok(())
    } else {
        Err(format!(
            "`--chmod={}` is not a mode: write an octal number up to 07777, or `u+x` and its like",
            value.escape_debug()
        ))
    }
}

fn is_symbolic_mode(clause: &str) -> bool {
    let actions = clause.trim_start_matches(['u', 'g', 'o', 'a']);
    let permissions = |byte: u8| matches!(byte, b'r' | b'w' | b'x' | b'X' | b's' | b't' | b'u' | b'g' | b'o');
    let mut parts = actions.split(['+', '-', '=']);
    parts.next() == Some("") && !actions.is_empty() && parts.all(|part| part.bytes().all(permissions))
}

/// A port of `EXPOSE`, or a range, with a protocol.
pub(super) fn port(value: &str) -> Result<(), String> {
    let invalid = || Err(format!("`{}` is not a port", value.escape_debug()));
    let (numbers, protocol) = value.split_once('/').unwrap_or((value, ""));
    if !matches!(protocol.to_ascii_lowercase().as_str(), "" | "tcp" | "udp" | "sctp") {
        return invalid();
    }
    let container = numbers.rsplit(':').next().unwrap_or_default();
    let (first, last) = container.split_once('-').unwrap_or((container, container));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first <= last => Ok(()),
        _ => invalid(),
    }
}

/// A signal of `STOPSIGNAL`: a number, or a name.
pub(super) fn signal(value: &str) -> Result<(), String> {
    const NAMES: [&str; 36] = [
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
        "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
        "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
    ];
    let upper = value.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let is_real_time = |name: &str, start: &str, most: u8| {
        name.strip_prefix(start)
            .and_then(|number| number.parse::<u8>().ok())
            .is_some_and(|number| (1..=most).contains(&number))
    };
    let is_signal = match value.parse::<u32>() {
        Ok(number) => number != 0,
        Err(_) => NAMES.contains(&name) || is_real_time(name, "RTMIN+", 15) || is_real_time(name, "RTMAX-", 14),
    };
    if is_signal {
        Ok(())
    } else {
        Err(format!("`{}` is not a signal", value.escape_debug()))
    }
}

/// A platform of `FROM --platform`.
pub(super) fn platform(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("the platform is blank".to_owned());
    }
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'(' | b')');
    let mut parts = value.split('/');
    if parts.clone().count() <= 3 && parts.all(|part| !part.is_empty() && part.bytes().all(valid)) {
        Ok(())
    } else {
        Err(format!(
            "`{}` is not a platform: write `linux/amd64`",
            value.escape_debug()
        ))
    }
}

/// The checksum of `ADD --checksum`.
pub(super) fn checksum(value: &str, is_of_git: bool) -> Result<(), String> {
    if is_of_git {
        let is_commit = value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        return if is_commit {
            Ok(())
        } else {
            Err(format!(
                "`--checksum={}` is no commit, which a git repository is checked by",
                value.escape_debug()
            ))
        };
    }
    let lengths = [("sha256:", 64), ("sha384:", 96), ("sha512:", 128)];
    let is_digest = |(start, length): (&str, usize)| {
        value.strip_prefix(start).is_some_and(|digits| {
            digits.len() == length && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    if lengths.into_iter().any(is_digest) {
        Ok(())
    } else {
        Err(format!("`--checksum={}` is not a digest", value.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_from_what_is_none() {
        for value in ["", "755", "0644", "7777", "u+x", "go=", "a+rX,u=rwx,g-w", "=", "u=g"] {
            assert!(mode(value).is_ok(), "{value}");
        }
        for value in ["999", "77777", "abc", "-1", "0x1ff", "u", "u+q", "+8"] {
            assert!(mode(value).is_err(), "{value}");
        }
        assert!(
            ["80", "80/udp", "8000-9000", "0"]
                .iter()
                .all(|value| port(value).is_ok())
        );
        assert!(
            ["99999", "x", "9-8", "80/http", ""]
                .iter()
                .all(|value| port(value).is_err())
        );
        assert!(
            ["9", "SIGTERM", "kill", "RTMIN+3"]
                .iter()
                .all(|value| signal(value).is_ok())
        );
        assert!(["", "NOPE", "0", "-1"].iter().all(|value| signal(value).is_err()));
        assert!(
            ["linux/amd64", "linux", "linux/arm/v7"]
                .iter()
                .all(|value| platform(value).is_ok())
        );
        assert!(["", "a/b/c/d", "linux/"].iter().all(|value| platform(value).is_err()));
    }
}
