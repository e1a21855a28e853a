//! Files that may change while the process runs: certificates, keys, what is logged.

use std::{fmt::Display, fs, io, path::PathBuf, time::Duration};

use tokio::{task, time};
use tokio_util::task::AbortOnDropHandle;

/// How often somebody looks. Kubernetes itself takes up to a minute to bring a changed Secret into a Pod.
const INTERVAL: Duration = Duration::from_secs(1);

/// A file that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", .path.display())]
pub struct FileError {
    /// Which one.
    pub(crate) path: PathBuf,
    /// Why not.
    source: io::Error,
}

/// The contents of files that belong together, in the order of their paths.
pub(crate) type Contents = Vec<Vec<u8>>;

/// Reads them all.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Contents, FileError> {
    let contents = paths.iter().map(|path| {
        fs::read(path).map_err(|source| FileError {
            path: path.clone(),
            source,
        })
    });
    contents.collect()
}

/// Looks at the files every second until the handle is dropped, and hands their contents to `apply` when these are
/// others than `known`, or than those of the time before.
///
/// Contents are compared rather than times: a file that is replaced by a link to an older one changes too. What
/// can't be read, or is refused by `apply`, is logged and leaves everything as it was.
pub(crate) fn follow<E: Display>(
    what: &'static str,
    paths: Vec<PathBuf>,
    known: Contents,
    mut apply: impl FnMut(&Contents) -> Result<(), E> + Send + 'static,
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut known = Ok(known);
        loop {
            time::sleep(INTERVAL).await;
            let paths = paths.clone();
            // One that is cut off by the end of the process.
            let Ok(found) = task::spawn_blocking(move || read(&paths)).await else {
                return;
            };
            // Errors are compared by their texts, so that one that lasts is told once.
            let found = found.map_err(|error| format!("{error}: {}", error.source));
            if found == known {
                continue;
            }
            match &found {
                Ok(contents) => match apply(contents) {
                    Ok(()) => tracing::info!(what, "changed files are in use"),
                    Err(error) => {
                        tracing::error!(what, %error, "changed files are not used; what was known stays");
                    }
                },
                Err(error) => {
                    tracing::error!(what, error, "files can't be read; what was known stays");
                }
            }
            known = found;
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tells_of_changes_alone() {
        let path = env::temp_dir().join(format!("circles-followed-{}", process::id()));
        fs::write(&path, "one").unwrap();
        let paths = vec![path.clone()];
        let (tell, mut told) = mpsc::unbounded_channel();
        let follower = follow("tests", paths.clone(), read(&paths).unwrap(), move |now| {
            tell.send(now.clone()).unwrap();
            if now[0] == b"bad" {
                Err("refused")
            } else {
                Ok(())
            }
        });
        for text in ["two", "bad", "two"] {
            fs::write(&path, text).unwrap();
            assert_eq!(told.recv().await.unwrap(), [text.as_bytes()]);
        }
        // Gone, then back as it was known last, which is told again.
        fs::remove_file(&path).unwrap();
        time::sleep(2 * INTERVAL).await;
        fs::write(&path, "two").unwrap();
        assert_eq!(told.recv().await.unwrap(), [b"two"]);
        drop(follower);
        assert_eq!(told.recv().await, None);
        fs::remove_file(&path).unwrap();
    }
}
