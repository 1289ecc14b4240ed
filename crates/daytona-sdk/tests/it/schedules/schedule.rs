//! What happens in a schedule, all of it from its seed.

use std::time::Duration;

use daytona_emulator::{Fault, Operation, Script};

/// A small generator (`SplitMix64`): the same schedule for the same seed, everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// What the client under test does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Create,
    Ensure,
    Replace,
}

/// What somebody else does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rival {
    Nobody,
    /// Another name, the same build.
    Twin,
    CreatesTheSame,
    EnsuresTheSame,
    CreatesAnother,
    ReplacesByAnother,
    Deletes,
    Deactivates,
}

impl Rival {
    /// Whether it may have changed what was there at the end.
    pub(super) fn is_destructive(self) -> bool {
        matches!(self, Self::Deletes | Self::Deactivates | Self::ReplacesByAnother)
    }

    /// Whether it may have created something under the name.
    pub(super) fn creates(self) -> bool {
        matches!(
            self,
            Self::CreatesTheSame | Self::EnsuresTheSame | Self::CreatesAnother | Self::ReplacesByAnother
        )
    }
}

/// A call under test, and what it meets.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) act: Act,
    pub(super) rival: Rival,
    pub(super) rival_after: Duration,
    pub(super) fails: bool,
    pub(super) is_user: bool,
    pub(super) key_ends: Option<Duration>,
    pub(super) lag: Option<(Duration, Duration)>,
    /// How far the server's time goes on with each event, as if the callback had taken so long.
    pub(super) callback: Duration,
    /// States that have no place where they come, before the last.
    pub(super) detours: Vec<&'static str>,
    pub(super) faults: Vec<Fault>,
}

impl Schedule {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::of(seed);
        let count = random.below(6);
        let faults = (0..count).map(|_| fault(&mut random)).collect();
        let detours = if random.chance(20) {
            let states = ["pending", "building", "pulling", "snapshotting", "zzz"];
            (0..=random.below(4)).map(|_| random.pick(&states)).collect()
        } else {
            Vec::new()
        };
        let seconds = |random: &mut Random, choices: &[u64]| Duration::from_secs(random.pick(choices));
        Self {
            act: random.pick(&[Act::Create, Act::Create, Act::Ensure, Act::Replace]),
            rival: random.pick(&[
                Rival::Nobody,
                Rival::Nobody,
                Rival::Nobody,
                Rival::Twin,
                Rival::Twin,
                Rival::CreatesTheSame,
                Rival::EnsuresTheSame,
                Rival::CreatesAnother,
                Rival::ReplacesByAnother,
                Rival::Deletes,
                Rival::Deactivates,
            ]),
            rival_after: Duration::from_millis(random.below(40_000)),
            fails: random.chance(20),
            is_user: random.chance(15),
            key_ends: random.chance(5).then(|| seconds(&mut random, &[1, 20, 60])),
            lag: random
                .chance(15)
                .then(|| (seconds(&mut random, &[0, 5, 20]), seconds(&mut random, &[0, 5, 20]))),
            callback: if random.chance(15) {
                seconds(&mut random, &[1, 3])
            } else {
                Duration::ZERO
            },
            detours,
            faults,
        }
    }

    pub(super) fn script(&self) -> Script {
        let lines = (0..super::LINES).map(|number| format!("#{number} é\u{1f980} step"));
        let script = Script::for_name("made").log(lines);
        if !self.detours.is_empty() {
            let after = Duration::from_secs(7);
            let script = self
                .detours
                .iter()
                .fold(script, |script, state| script.state(after, *state));
            return if self.fails {
                script.failure(after, "error", "exit code: 1")
            } else {
                script.state(after, "active")
            };
        }
        let script = script.takes(Duration::from_secs(45));
        if self.fails {
            script.fails("exit code: 1")
        } else {
            script
        }
    }

    /// Whether only one client acts, and so all that is there is its own.
    pub(super) fn is_alone(&self) -> bool {
        self.rival == Rival::Nobody
    }
}

fn fault(random: &mut Random) -> Fault {
    let operation = random.pick(&[
        Operation::GetPushAccess,
        Operation::HeadObject,
        Operation::PutObject,
        Operation::CreateSnapshot,
        Operation::CreateSnapshot,
        Operation::CreateSnapshot,
        Operation::GetSnapshot,
        Operation::GetSnapshot,
        Operation::GetSnapshotBuildLogsUrl,
        Operation::ReadBuildLog,
        Operation::ReadBuildLog,
        Operation::RemoveSnapshot,
        Operation::RemoveSnapshot,
        Operation::ActivateSnapshot,
        Operation::GetAllSnapshots,
    ]);
    let fault = match random.below(12) {
        0 | 1 => Fault::status(random.pick(&[500, 502, 503, 504])),
        2 => {
            let wait = random.pick(&["1", "7", "30", "3600"]);
            Fault::status(429).header("Retry-After-authenticated", wait)
        }
        3 => Fault::disconnect(),
        4 => Fault::lose_answer(),
        5 => Fault::delay(Duration::from_secs(random.pick(&[1, 20, 90]))),
        6 => Fault::truncate(random.pick(&[0, 1, 20, 47, 100])),
        7 => Fault::gateway_page(random.pick(&[502, 520, 521, 524, 530])),
        8 => Fault::gateway_page(random.pick(&[502, 504, 524])).carried_out(),
        9 => Fault::ignore(),
        10 => Fault::undo(),
        _ => Fault::stall(random.pick(&[0, 30])),
    };
    let fault = if random.chance(15) {
        fault.while_under_way()
    } else {
        fault
    };
    let times = if random.chance(10) { 1_000 } else { 1 + random.below(4) };
    fault.on(operation).nth(1 + random.below(4)).times(times)
}
