//! What podman and buildah print, in the form of the image builder that the real service uses.

use std::time::Instant;

/// Turns lines of `podman build` and `buildah build` into those of BuildKit's plain progress.
#[derive(Debug)]
pub(super) struct Plain {
    vertex: usize,
    begin: Instant,
}

impl Plain {
    pub(super) fn new() -> Self {
        Self {
            vertex: 0,
            begin: Instant::now(),
        }
    }

    /// The lines that stand for one of the engine's. `STEP 2/3: RUN a` begins a vertex, `--> 5867aa286f9` ends it, and what
    /// is between them is its output.
    pub(super) fn lines(&mut self, line: &str) -> Vec<String> {
        let seconds = self.begin.elapsed().as_secs_f64();
        if let Some(title) = step(line) {
            let blank = (self.vertex > 0).then(String::new);
            self.vertex += 1;
            self.begin = Instant::now();
            return blank.into_iter().chain([format!("#{} {title}", self.vertex)]).collect();
        }
        let vertex = self.vertex;
        if line.starts_with("--> ") {
            return vec![format!("#{vertex} DONE {seconds:.1}s")];
        }
        if let Some(reason) = reason(line) {
            return vec![
                format!("#{vertex} ERROR: {reason}"),
                format!("ERROR: failed to build: {reason}"),
            ];
        }
        match (vertex, line.trim()) {
            (_, "") => Vec::new(),
            (0, line) => vec![line.to_owned()],
            (_, line) => vec![format!("#{vertex} {seconds:.3} {line}")],
        }
    }
}

/// `[1/2] STEP 2/3: RUN a` and `STEP 2/3: RUN a` as `[2/3] RUN a`.
fn step(line: &str) -> Option<String> {
    let (_, rest) = line
        .split_once("STEP ")
        .filter(|(before, _)| before.is_empty() || before.starts_with('['))?;
    let (count, text) = rest.split_once(": ")?;
    let is_count = count.split('/').all(|number| number.parse::<u32>().is_ok());
    is_count.then(|| format!("[{count}] {text}"))
}

/// Why a build failed, in BuildKit's words where they are known.
pub(super) fn reason(line: &str) -> Option<String> {
    let error = line.strip_prefix("Error: ").or_else(|| line.strip_prefix("error "))?;
    let known = || {
        let (_, rest) = error.split_once("building at STEP \"RUN ")?;
        let (command, status) = rest.rsplit_once("\": ")?;
        let status = status.rsplit(' ').next()?.parse::<i32>().ok()?;
        let command = format!("/bin/sh -c {command}");
        Some(format!(
            "process {command:?} did not complete successfully: exit code: {status}"
        ))
    };
    Some(known().unwrap_or_else(|| error.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_lines_become_the_builders() {
        let mut plain = Plain::new();
        let mut lines = Vec::new();
        for line in [
            "[1/2] STEP 1/2: FROM localhost/tiny:1",
            "--> 5867aa286f9",
            "STEP 2/2: RUN echo hi && exit 7",
            "hi",
            "",
            "Error: building at STEP \"RUN echo hi && exit 7\": exit status 7",
        ] {
            lines.extend(plain.lines(line));
        }
        // Times differ.
        let shown: Vec<&str> = lines.iter().map(|line| line.split(" 0.").next().unwrap()).collect();
        let reason = "process \"/bin/sh -c echo hi && exit 7\" did not complete successfully: exit code: 7";
        assert_eq!(
            shown,
            [
                "#1 [1/2] FROM localhost/tiny:1",
                "#1 DONE",
                "",
                "#2 [2/2] RUN echo hi && exit 7",
                "#2",
                &format!("#2 ERROR: {reason}"),
                &format!("ERROR: failed to build: {reason}"),
            ]
        );
        assert_eq!(super::reason("Error: no such image").as_deref(), Some("no such image"));
    }
}
