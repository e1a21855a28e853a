//! Any file is read to its end, and no line of it gets lost.

use fuzz_support::bytes;
use proptest::prelude::*;

use crate::record::Records;
use crate::request_id::RequestIds;

const FILES: &[&str] = &[
    "name,capacity\nchess,20\n\"tea, green\",30\n",
    "\u{feff}id, capacity ,\"name\",notes\r\n7, 20 ,chess,x\r\n8,30,\"say \"\"go\"\"\",\"two\nlines\"\r\n",
    "capacity,name\n20,a\nmany,b\n\n,,\n-1,\"open\nc,4\n",
    "name,capacity\n將棋,32767\n\"\",3\n\"a\"b,99999999999",
];

proptest! {
    #[test]
    fn files_survive_any_bytes(file in bytes(FILES)) {
        let Ok(mut records) = Records::new(file.as_slice()) else {
            return Ok(());
        };
        let import = RequestIds::new("circles.csv");
        let (mut line, mut end) = (1, 0);
        while let Some(record) = records.next().unwrap() {
            // They come in their order, none twice.
            prop_assert!(record.line > line, "line {} after {line}", record.line);
            prop_assert!(record.end > end && record.end <= file.len() as u64);
            if let Ok(circle) = &record.circle {
                prop_assert!(!circle.name.contains('\n'));
                prop_assert_eq!(import.of(record.line, circle).len(), 36);
            }
            (line, end) = (record.line, record.end);
        }
        // What follows the last record are ends of lines alone.
        if end > 0 {
            let rest = &file[usize::try_from(end).unwrap()..];
            prop_assert!(rest.iter().all(|byte| matches!(byte, b'\r' | b'\n')));
        }
    }
}
