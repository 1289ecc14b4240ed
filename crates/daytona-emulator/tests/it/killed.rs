//! A process that is killed at any moment: what it has acknowledged is there, nothing half-written can be seen, and it starts again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::Program;
use crate::signature::sign;

/// Rounds, unless a variable says another number while this is compiled: `ci --full` runs 200.
const ROUNDS: u64 = 10;

/// What a process has said that it has.
#[derive(Default)]
struct Acknowledged {
    /// Keys below the organization, with the bytes.
    objects: BTreeMap<String, Vec<u8>>,
    snapshots: BTreeMap<String, Value>,
}

/// Numbers by chance, the same in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// An answer's status and body; `None` if the connection broke.
async fn exchange(program: &Program, head: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(program.address).await.ok()?;
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_off(end + 4)))
}

/// A signed request to object storage.
async fn store(
    program: &Program,
    access: &Value,
    method: &str,
    path: &str,
    query: &str,
    body: &[u8],
) -> Option<(u16, Vec<u8>)> {
    let hash = hex::encode(Sha256::digest(body));
    let request = sign(access, "us-east-1", method, path, query, &hash);
    let headers = request.headers_ref()?;
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap_or_default()))
        .collect();
    let lines = lines.concat();
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    let length = body.len();
    let head =
        format!("{method} {path}{query} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n");
    exchange(program, &head, body).await
}

async fn api(program: &Program, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let head = format!(
        "{method} /api{path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        program.address,
        program.key,
        body.len()
    );
    let (status, body) = exchange(program, &head, body.as_bytes()).await?;
    Some((status, serde_json::from_slice(&body).unwrap_or_default()))
}

async fn access(program: &Program) -> Value {
    let answer = api(program, "GET", "/object-storage/push-access", "").await;
    answer.expect("a process that has just started answers").1
}

/// The path of a key of the own organization.
fn path(access: &Value, key: &str) -> String {
    let field = |name: &str| access[name].as_str().unwrap_or_default();
    format!("/{}/{}/{key}", field("bucket"), field("organizationId"))
}

/// Uploads and builds without an end, until the process is gone.
async fn keep_busy(program: &Program, access: &Value, name: &str, acknowledged: &Mutex<Acknowledged>) {
    for number in 0.. {
        // Some of them over and over, others only once.
        let size = 1 + (number % 7) * 20_000;
        let bytes: Vec<u8> = name.bytes().cycle().take(size).chain(number.to_le_bytes()).collect();
        let hash = hex::encode(Sha256::digest(&bytes));
        let key = format!("{hash}/context.tar");
        let put = store(program, access, "PUT", &path(access, &key), "", &bytes).await;
        match put {
            Some((200, _)) => {
                let mut known = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                known.objects.insert(key, bytes);
            }
            Some((status, body)) => panic!("a put was answered with {status}: {}", String::from_utf8_lossy(&body)),
            None => return,
        }
        let snapshot = format!("{name}-{number}");
        let info = json!({"dockerfileContent": format!("FROM scratch\nENV N={snapshot}\n")});
        let body = json!({"name": snapshot, "buildInfo": info}).to_string();
        match api(program, "POST", "/snapshots", &body).await {
            Some((200, created)) => {
                let mut known = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                known.snapshots.insert(snapshot, created["id"].clone());
            }
            Some((status, body)) => panic!("a creation was answered with {status}: {body}"),
            None => return,
        }
    }
}

/// Checks that a new process has what one before has acknowledged, and nothing that is not whole.
async fn check(program: &Program, acknowledged: &Acknowledged, round: u64) {
    let access = access(program).await;
    for (key, bytes) in &acknowledged.objects {
        let (status, body) = store(program, &access, "GET", &path(&access, key), "", b"")
            .await
            .unwrap();
        assert!(
            status == 200 && body == *bytes,
            "round {round}: {key} is {status}, {} bytes",
            body.len()
        );
    }
    for (name, id) in &acknowledged.snapshots {
        let (status, body) = api(program, "GET", &format!("/snapshots/{name}"), "").await.unwrap();
        assert_eq!((status, &body["id"]), (200, id), "round {round}: {name}");
        let state = body["state"].as_str().unwrap_or_default();
        assert!(
            ["pending", "building", "active"].contains(&state),
            "round {round}: {name} is {state}"
        );
    }
}

/// The objects that can be seen are whole: their keys are the hashes of their bytes.
fn check_files(folder: &std::path::Path, round: u64) {
    let mut data = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for file in std::fs::read_dir(folder.join("objects")).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        assert!(!name.starts_with(".new-"), "round {round}: {name} is left");
        if file.path().extension().is_some_and(|extension| extension == "json") {
            let entry: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
            let bytes = std::fs::read(folder.join("objects").join(entry["data"].as_str().unwrap())).unwrap();
            let key = entry["key"].as_str().unwrap();
            assert!(
                key.contains(&hex::encode(Sha256::digest(&bytes))),
                "round {round}: {key} has {} other bytes",
                bytes.len()
            );
            wanted.insert(entry["data"].as_str().unwrap().to_owned());
        } else {
            data.insert(name);
        }
    }
    assert_eq!(data, wanted, "round {round}: bytes that no object has");
}

/// A process with room for all that is made.
async fn start(data: &str) -> Program {
    let program = Program::start(&["--quiet", "--data-dir", data]);
    let body = r#"{"snapshotQuota": 100000}"#;
    let head = format!(
        "PUT /_emulator/organization HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-length: {}\r\n\r\n",
        program.address,
        program.admin_key,
        body.len()
    );
    let answer = exchange(&program, &head, body.as_bytes()).await;
    assert_eq!(answer.map(|(status, _)| status), Some(200));
    program
}

/// Kills a process again and again that has one folder, and looks each time at what the next one has; how many objects and
/// snapshots were acknowledged.
async fn kill(rounds: std::ops::Range<u64>, chance: &mut Chance) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let mut sums = (0, 0);
    let mut left = Acknowledged::default();
    let end = rounds.end;
    for round in rounds {
        let mut program = start(&data).await;
        check(&program, &left, round).await;
        check_files(folder.path(), round);
        let acknowledged = Mutex::new(Acknowledged::default());
        let given = access(&program).await;
        // So much is acknowledged first, however busy the machine is, and then some time goes by.
        let (first, moment) = (chance.next(12), Duration::from_micros(chance.next(20_000)));
        let count = || {
            let known = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
            (known.objects.len() + known.snapshots.len()) as u64
        };
        let pid = program.child.id().to_string();
        let workers = ["a", "b", "c"].map(|worker| format!("{worker}{round}"));
        let [one, two, three] = &workers;
        tokio::join!(
            keep_busy(&program, &given, one, &acknowledged),
            keep_busy(&program, &given, two, &acknowledged),
            keep_busy(&program, &given, three, &acknowledged),
            async {
                while count() < first {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                tokio::time::sleep(moment).await;
                // Not asked to end, as `kill` of a process does on every platform.
                drop(std::process::Command::new("kill").args(["-KILL", &pid]).status());
            }
        );
        program.child.wait().unwrap();
        left = acknowledged.into_inner().unwrap_or_else(PoisonError::into_inner);
        sums = (sums.0 + left.objects.len(), sums.1 + left.snapshots.len());
    }
    let program = start(&data).await;
    check(&program, &left, end).await;
    check_files(folder.path(), end);
    sums
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let rounds = option_env!("DAYTONA_EMULATOR_KILLS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut chance = Chance(7);
    let mut sums = (0, 0);
    // All that is there is looked at after each kill: now and then there is a new folder.
    for begin in (0..rounds).step_by(10) {
        let more = kill(begin..rounds.min(begin + 10), &mut chance).await;
        sums = (sums.0 + more.0, sums.1 + more.1);
    }
    println!(
        "{rounds} kills; {} objects and {} snapshots were acknowledged",
        sums.0, sums.1
    );
    assert!(
        sums.0 > 0 && sums.1 > 0,
        "nothing was acknowledged, so that nothing was tested"
    );
}
