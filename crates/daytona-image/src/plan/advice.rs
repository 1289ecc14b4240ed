//! What is allowed, but probably a mistake.

/// Remarks on the base image of a stage.
pub(crate) fn base_image(image: &str, platform: Option<&str>) -> Vec<String> {
    let mut remarks = Vec::new();
    let last = image.rsplit('/').next().unwrap_or_default();
    let tag = last.split_once(':').map(|(_, tag)| tag);
    if image != "scratch" && !image.contains('@') {
        match tag {
            None => remarks.push(format!("`{image}` has no tag, so its image changes: name a version")),
            Some(tag @ ("lts" | "stable")) => remarks.push(format!(
                "the service does not support the tag `{tag}`, whose image changes: name a version"
            )),
            Some("latest") => remarks.push(format!("`{image}` is an image that changes: name a version")),
            Some(_) => {}
        }
    }
    if let Some(platform) = platform
        && !platform.contains('$')
        && platform != "linux/amd64"
    {
        remarks.push(format!(
            "the platform `{platform}` is requested, but the service builds only for linux/amd64"
        ));
    }
    remarks
}

/// A remark on a variable that looks like a secret, which everybody could read in the image.
pub(crate) fn variable(keyword: &str, name: &str) -> Option<String> {
    const SECRETS: [&str; 12] = [
        "apikey",
        "auth",
        "credential",
        "credentials",
        "key",
        "passphrase",
        "password",
        "passwd",
        "pwd",
        "secret",
        "secrets",
        "token",
    ];
    let mut words = name.split(['_', '-']);
    let is_public = words.clone().any(|word| word.eq_ignore_ascii_case("public"));
    let is_secret = words.any(|word| SECRETS.iter().any(|secret| word.eq_ignore_ascii_case(secret)));
    (is_secret && !is_public).then(|| {
        format!(
            "{keyword} `{name}` looks like a secret, and everybody could read it in the image; the service has no build secrets: set it when a sandbox starts"
        )
    })
}

/// The part of a member's name that looks like a secret: the file, or the directory that is known for them.
pub(crate) fn secret_part(name: &str) -> Option<&str> {
    const DIRECTORIES: [&str; 4] = [".git", ".aws", ".ssh", ".gnupg"];
    const FILES: [&str; 9] = [
        ".env",
        ".git-credentials",
        ".netrc",
        ".npmrc",
        ".pypirc",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "id_rsa",
    ];
    const ENDINGS: [&str; 5] = [".pem", ".key", ".p12", ".pfx", ".jks"];
    const EXAMPLES: [&str; 4] = [".example", ".sample", ".template", ".dist"];
    let mut end = 0;
    for component in name.split('/') {
        end += component.len();
        if end < name.len() && DIRECTORIES.contains(&component) {
            return Some(&name[..end]);
        }
        end += 1;
    }
    let file = name.rsplit('/').next().unwrap_or_default();
    let is_example = EXAMPLES.iter().any(|ending| file.ends_with(ending));
    let is_secret =
        FILES.contains(&file) || file.starts_with(".env.") || ENDINGS.iter().any(|ending| file.ends_with(ending));
    (is_secret && !is_example).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_what_only_sounds_like_them() {
        for name in [
            "API_KEY",
            "DB_PASSWORD",
            "GITHUB_TOKEN",
            "AUTH",
            "aws-secret-access-key",
        ] {
            assert!(variable("ENV", name).is_some(), "{name}");
        }
        for name in ["MONKEY", "PUBLIC_KEY", "PATH", "TOKENIZERS", "AUTHOR"] {
            assert_eq!(variable("ENV", name), None, "{name}");
        }
        for (name, part) in [
            ("app/.env", Some("app/.env")),
            (".env.production", Some(".env.production")),
            (".env.example", None),
            ("a/.git/objects/x", Some("a/.git")),
            (".gitignore", None),
            ("home/.ssh/config", Some("home/.ssh")),
            ("k/server.pem", Some("k/server.pem")),
            ("keys.py", None),
            ("environment", None),
        ] {
            assert_eq!(secret_part(name), part, "{name}");
        }
    }
}
