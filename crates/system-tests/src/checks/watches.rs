//! A watch tells every change of the log from where it began, in order, once, through all its
//! interruptions.

use crate::evidence::Possible;
use crate::history::{History, Kind, Session, Told, Watch};
use crate::log::{Event, Log};

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let possible = Possible::of(history, log);
    let mut wrong = Vec::new();
    for watch in &history.watches {
        let is_watched = |event: &&Event| {
            watch.circle_ids.is_empty() || watch.circle_ids.contains(&event.circle_id)
        };
        let watched: Vec<&Event> = log.events.iter().filter(is_watched).collect();
        let mut reader = Reader {
            watched: &watched,
            position: None,
        };
        for session in &watch.sessions {
            if let Err(what) = reader.read(session, &possible) {
                wrong.push(format!("{what}, in a watch {}", described(watch, session)));
                break;
            }
        }
    }
    wrong
}

fn described(watch: &Watch, session: &Session) -> String {
    let circles = &watch.circle_ids;
    format!(
        "from {:?} at {} of {circles:?}",
        session.from, session.invoked
    )
}

struct Reader<'a> {
    watched: &'a [&'a Event],
    /// How far everything was told.
    position: Option<u64>,
}

impl Reader<'_> {
    fn read(&mut self, session: &Session, possible: &Possible) -> Result<(), String> {
        if self.position.is_some() && session.from != self.position {
            return Err(format!("it should go on from {:?}", self.position));
        }
        self.position = session.from;
        for (moment, told) in &session.told {
            let sequence = told.sequence();
            let most = possible.before(*moment);
            if sequence > most.max(session.from.unwrap_or_default()) {
                return Err(format!("{told:?} is ahead of its time, which was {most}"));
            }
            match (told, self.position) {
                // It says where it begins.
                (Told::Progress(_), None) => {}
                (Told::Change { .. }, None) => return Err(format!("{told:?} comes first")),
                (Told::Progress(_), Some(position)) => {
                    if sequence < position {
                        return Err(format!("{told:?} comes after {position}"));
                    }
                    let next = self.next_after(position);
                    if let Some(missing) = next.filter(|event| event.sequence <= sequence) {
                        return Err(format!("{told:?} comes without {missing:?}"));
                    }
                }
                (Told::Change { .. }, Some(position)) => {
                    let next = self.next_after(position);
                    if !next.is_some_and(|event| tells(told, event)) {
                        return Err(format!("{told:?} after {position} instead of {next:?}"));
                    }
                }
            }
            self.position = Some(sequence);
        }
        Ok(())
    }

    fn next_after(&self, position: u64) -> Option<&Event> {
        let passed = self
            .watched
            .partition_point(|event| event.sequence <= position);
        self.watched.get(passed).copied()
    }
}

fn tells(told: &Told, event: &Event) -> bool {
    let Told::Change {
        sequence,
        kind,
        circle_id,
        circle,
    } = told
    else {
        return false;
    };
    *kind != Kind::Corrected
        && (*sequence, *kind) == (event.sequence, event.kind)
        && *circle_id == event.circle_id
        && *circle == event.after
}
