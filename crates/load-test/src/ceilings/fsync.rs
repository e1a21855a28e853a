//! Small writes that wait for the disk, as a database's log makes them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const BLOCK: usize = 4_096;
const BLOCKS: usize = 4_096;

/// A file that is written over and over. Its size never changes, as that of a redo log.
pub(super) struct Writer {
    file: File,
    path: PathBuf,
    next: usize,
}

impl Writer {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("load-test-{}.tmp", std::process::id()));
        let file = File::create(&path)?;
        file.write_all_at(&vec![0; BLOCK * BLOCKS], 0)?;
        file.sync_all()?;
        Ok(Self {
            file,
            path,
            next: 0,
        })
    }

    /// Writes a block and waits until it is on the disk.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let content = [self.next.to_le_bytes()[0]; BLOCK];
        self.file
            .write_all_at(&content, (self.next * BLOCK) as u64)?;
        self.next = (self.next + 1) % BLOCKS;
        self.file.sync_data()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A file left behind does no harm.
        let _ = fs::remove_file(&self.path);
    }
}
