//! Sends records and takes answers, over as many connections as it takes.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;
use std::{io, iter};

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::import_circles_response::Result as Answer;
use circles_proto::circles::v1::{ImportCirclesRequest, ImportCirclesResponse};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::progress::Progress;
use crate::record::Record;
use crate::report::Report;
use crate::request_id::RequestIds;
use crate::service::{Service, SetupError};

/// How many records are read and have no answer yet: more than the service works on at the same
/// time, as there are some on their way.
const WINDOW: usize = 1_024;

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

const SILENT: &str = "the service does not answer";

/// Why an import did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error("the file can't be read")]
    Read(#[source] io::Error),
    #[error("the program can't be set up")]
    Runtime(#[source] io::Error),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("the refused lines can't be written")]
    Report(#[from] csv::Error),
    #[error("the service does not take this: {0}")]
    Rejected(String),
    #[error("given up: {0}")]
    Patience(String),
}

/// Why a stream did not come to its end.
enum Interruption {
    /// It may be better next time.
    Passing(String),
    Final(ImportError),
}

impl<E: Into<ImportError>> From<E> for Interruption {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

/// An import under way.
pub(crate) struct Import<'a> {
    pub(crate) service: Service,
    pub(crate) ids: RequestIds,
    pub(crate) patience: Duration,
    /// Closed at the end of the file.
    pub(crate) records: mpsc::Receiver<io::Result<Record>>,
    pub(crate) report: &'a mut Report,
    pub(crate) progress: &'a mut Progress,
}

impl<'a> Import<'a> {
    /// Brings every record to its answer. After an interruption it begins again with the first
    /// record without one.
    pub(crate) async fn run(self) -> Result<(), ImportError> {
        let mut state = Running {
            import: self,
            unanswered: VecDeque::with_capacity(WINDOW),
            read_all: false,
            waiting_since: Instant::now(),
            delay: FIRST_DELAY,
        };
        loop {
            let why = match state.stream().await {
                Ok(()) => return Ok(()),
                Err(Interruption::Final(error)) => return Err(error),
                Err(Interruption::Passing(why)) => why,
            };
            if state.unanswered.is_empty() && state.delay == FIRST_DELAY {
                // It was the file that we waited for, not the service.
                state.waiting_since = Instant::now();
            }
            let delay = state.delay;
            if state.waiting_since.elapsed() + delay > state.import.patience {
                return Err(ImportError::Patience(why));
            }
            let seconds = delay.as_secs_f32();
            state
                .import
                .progress
                .note(&format!("{why}; trying again in {seconds} s"));
            sleep(delay).await;
            state.delay = (delay * 2).min(LONGEST_DELAY);
        }
    }
}

struct Running<'a> {
    import: Import<'a>,
    /// In the order of the file. The first one is never malformed: those are reported in their
    /// turn, at once.
    unanswered: VecDeque<Record>,
    read_all: bool,
    /// When there last was an answer, or nothing to wait for.
    waiting_since: Instant,
    /// Before the next try.
    delay: Duration,
}

impl Running<'_> {
    /// One stream, to the end of the file or until it breaks.
    async fn stream(&mut self) -> Result<(), Interruption> {
        let channel = self.import.service.endpoint.connect().await;
        let channel = channel.map_err(|error| Interruption::Passing(chain(&error)))?;
        let mut client = CircleCommandServiceClient::new(channel);
        // Never full: what is in there is unanswered.
        let (send, requests) = mpsc::channel(WINDOW);
        for record in &self.unanswered {
            self.send(&send, record);
        }
        let mut send = Some(send);
        let request = self.import.service.request(ReceiverStream::new(requests));
        let begun = client.import_circles(request.map_err(ImportError::from)?);
        let begun = timeout(self.import.patience, begun).await;
        let begun = begun.map_err(|_| Interruption::Passing(SILENT.to_owned()))?;
        let has_token = self.import.service.token.is_some();
        let interruption = |status| interruption(status, has_token);
        let mut answers = begun.map_err(interruption)?.into_inner();
        if self.unanswered.is_empty() {
            self.delay = FIRST_DELAY;
        }
        loop {
            if self.read_all {
                // The service sees the end, answers the rest and ends the stream.
                send = None;
            }
            tokio::select! {
                answer = answers.message() => match answer.map_err(interruption)? {
                    Some(answer) => self.answered(answer)?,
                    None if self.read_all && self.unanswered.is_empty() => return Ok(()),
                    None => return Err(Interruption::Passing("the service ended the stream".to_owned())),
                },
                record = self.import.records.recv(),
                    if !self.read_all && self.unanswered.len() < WINDOW => match record {
                    Some(record) => {
                        let record = record.map_err(ImportError::Read)?;
                        if let Some(send) = &send {
                            self.send(send, &record);
                        }
                        self.add(record)?;
                    }
                    None => self.read_all = true,
                },
                () = sleep_until(self.waiting_since + self.import.patience), if !self.unanswered.is_empty() => {
                    return Err(ImportError::Patience(SILENT.to_owned()).into());
                }
            }
        }
    }

    fn send(&self, to: &mpsc::Sender<ImportCirclesRequest>, record: &Record) {
        if let Ok(circle) = &record.circle {
            // When the stream is broken its answers tell why.
            let _ = to.try_send(ImportCirclesRequest {
                name: circle.name.clone(),
                capacity: circle.capacity,
                request_id: Some(self.import.ids.of(record.line, circle)),
            });
        }
    }

    fn add(&mut self, record: Record) -> Result<(), ImportError> {
        if self.unanswered.is_empty() {
            self.waiting_since = Instant::now();
        }
        self.unanswered.push_back(record);
        self.report_malformed()
    }

    /// Takes the answer to the first record that has none.
    fn answered(&mut self, answer: ImportCirclesResponse) -> Result<(), Interruption> {
        let answer = answer.result.ok_or_else(|| missing("an answer is empty"))?;
        if let Answer::Failure(failure) = &answer
            && is_passing(failure.code.into())
        {
            return Err(Interruption::Passing(failure.message.clone()));
        }
        let record = self.unanswered.pop_front();
        let record = record.ok_or_else(|| missing("an answer to nothing"))?;
        self.import.progress.advance(record.end);
        match answer {
            Answer::Created(_) => self.import.report.created += 1,
            Answer::Failure(failure) => self.import.report.refused(record, failure)?,
        }
        self.waiting_since = Instant::now();
        self.delay = FIRST_DELAY;
        Ok(self.report_malformed()?)
    }

    fn report_malformed(&mut self) -> Result<(), ImportError> {
        while let Some(record) = self
            .unanswered
            .pop_front_if(|record| record.circle.is_err())
        {
            self.import.progress.advance(record.end);
            if let Err(mistake) = record.circle.clone() {
                self.import.report.malformed(record, &mistake)?;
            }
        }
        Ok(())
    }
}

fn missing(what: &str) -> Interruption {
    ImportError::Rejected(what.to_owned()).into()
}

/// Whether the same may succeed later. The request ids make another try harmless, so this leaves
/// out only what will be answered the same way again.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::Aborted
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Unavailable
    )
}

/// Why a stream broke.
fn interruption(status: Status, has_token: bool) -> Interruption {
    let mut why = status.message().to_owned();
    let source = status.source().map(chain);
    if let Some(source) = source.filter(|source| *source != why) {
        why = format!("{why}: {source}");
    }
    // A connection that breaks shows as INTERNAL or UNKNOWN, depending on where it broke. A token that has expired is
    // replaced by whoever made the file.
    if is_passing(status.code())
        || matches!(status.code(), Code::Internal | Code::Unknown)
        || (status.code() == Code::Unauthenticated && has_token)
    {
        Interruption::Passing(why)
    } else {
        ImportError::Rejected(format!("{:?}: {why}", status.code())).into()
    }
}

/// An error with its causes. One that its effect already quotes is not repeated.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
