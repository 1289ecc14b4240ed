//! The emulator in a process of its own, for those who are measured or tested against it.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::tools;

/// A running emulator, which is stopped with this value.
pub(crate) struct Emulator {
    child: Child,
    pub(crate) api_url: String,
    pub(crate) api_key: String,
    pub(crate) admin_key: String,
}

impl Emulator {
    /// Builds it. `target` is the folder of all builds.
    pub(crate) fn build(workspace: &Path, target: &Path) -> io::Result<()> {
        let mut build = tools::cargo(workspace);
        build
            .args(["build", "--quiet", "--package", "daytona-emulator", "--target-dir"])
            .arg(target)
            .current_dir(workspace);
        tools::done(&mut build)
    }

    /// Starts what was built. Its files lie in `scratch`, since it is killed and cannot clean up then.
    pub(crate) fn start(target: &Path, scratch: &Path) -> io::Result<Self> {
        let program = format!("debug/daytona-emulator{}", std::env::consts::EXE_SUFFIX);
        // SDKs need a region for the storage, which server 0.190.0 does not tell, but the published contract promises.
        let mut child = Command::new(target.join(program))
            .args(["--storage-region", "us-east-1", "--quiet"])
            .env("TMPDIR", scratch)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        let mut variable = |name: &str| {
            let line = lines.as_mut().and_then(|lines| lines.next()?.ok());
            let value = line.and_then(|line| Some(line.split_once('=')?.1.trim_matches('"').to_owned()));
            value.ok_or_else(|| io::Error::other(format!("the emulator said nothing of {name}")))
        };
        let told =
            variable("its address").and_then(|address| Ok((address, variable("its key")?, variable("its admin key")?)));
        match told {
            Ok((api_url, api_key, admin_key)) => Ok(Self {
                child,
                api_url,
                api_key,
                admin_key,
            }),
            Err(error) => {
                drop(child.kill());
                drop(child.wait());
                Err(error)
            }
        }
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        let authority = self.api_url.trim_start_matches("http://").split('/').next();
        authority
            .and_then(|authority| authority.parse().ok())
            .ok_or_else(|| io::Error::other(format!("{} names no address", self.api_url)))
    }

    /// An admin route, as `/scripts`, with its body.
    pub(crate) fn admin(&self, method: &str, route: &str, body: &Value) -> io::Result<Value> {
        let address = self.address()?;
        let body = body.to_string();
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "{method} /_emulator{route} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.admin_key,
            body.len(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if !head.starts_with("HTTP/1.1 200") {
            return Err(io::Error::other(format!("{method} {route}: {answer}")));
        }
        Ok(serde_json::from_str(body)?)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
