//! Ports and signals, as far as BuildKit looks at them.

/// A port or a range, with a protocol: `80`, `8000-8010/udp`.
pub(super) fn check_port(text: &str) -> Result<(), String> {
    let invalid = || format!("invalid containerPort: {text}");
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if !matches!(protocol.to_lowercase().as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("invalid proto: {protocol}"));
    }
    // An address and a port of the host may stand before it.
    let port = ports.rsplit(':').next().unwrap_or(ports);
    let number = |text: &str| text.parse::<u16>().map_err(|_| invalid());
    match port.split_once('-') {
        Some((first, last)) if number(first)? <= number(last)? => Ok(()),
        Some(_) => Err(invalid()),
        None => number(port).map(|_| ()),
    }
}

const SIGNALS: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

/// A number, or a name with or without `SIG`.
pub(super) fn check_signal(text: &str) -> Result<(), String> {
    let invalid = || Err(format!("invalid signal: {text}"));
    if let Ok(number) = text.parse::<i64>() {
        return if number == 0 { invalid() } else { Ok(()) };
    }
    let name = text.to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let real_time = |name: &str| {
        let offset = name.strip_prefix("RTMIN+").or_else(|| name.strip_prefix("RTMAX-"));
        offset.is_some_and(|offset| offset.parse::<u8>().is_ok_and(|offset| (1..=15).contains(&offset)))
    };
    if SIGNALS.contains(&name) || real_time(name) {
        return Ok(());
    }
    invalid()
}
