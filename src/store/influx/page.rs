//! Lines on their way to InfluxDB. `[P]`

use std::ops::Range;

use super::super::ledger::StoredBatch;
use super::wisp::WispIndex;
use crate::model::Tag;
use crate::wire::batch::{Encoding, unpack};
use crate::wire::line;

/// What InfluxDB did not take, or what was no batch, for a person to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    pub agent: String,
    pub reason: String,
    pub payload: Vec<u8>,
}

/// The lines of some batches.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    text: String,
    /// Where each line ends in `text`, its line break included.
    ends: Vec<usize>,
    /// The row of the last batch; `None`: there was none.
    pub last_row: Option<i64>,
    pub n_batches: u64,
    /// Batches and lines that cannot be read, though they could when they were stored.
    pub aside: Vec<Aside>,
}

impl Page {
    /// Unpacks batches, and adds the tags `link` and `wisp`.
    pub fn new(batches: &[StoredBatch], wisps: &WispIndex) -> Self {
        let mut page = Self::default();
        for stored in batches {
            let StoredBatch { row, batch, .. } = stored;
            page.last_row = Some(*row);
            page.n_batches += 1;
            let unpacked = unpack(Encoding::Gzip, &batch.packed, batch.crc).map_err(|e| e.to_string());
            let text = unpacked.and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string()));
            match text {
                Ok(text) => page.add(stored, &text, wisps),
                Err(reason) => page.set_aside(batch.agent.as_str(), reason, &batch.packed),
            }
        }
        page
    }

    fn add(&mut self, batch: &StoredBatch, text: &str, wisps: &WispIndex) {
        for (number, parsed) in line::lines(text) {
            match parsed {
                Ok(line) => {
                    let at = batch.placed(line.at);
                    let line = line.placed(at);
                    let link = wisps.link_of(&line).map(|link| (Tag::Link, link.as_str()));
                    let wisp = wisps.wisp_of(&line).map(|wisp| (Tag::Wisp, wisp.as_str()));
                    let added: Vec<_> = link.into_iter().chain(wisp).collect();
                    if added.is_empty() {
                        line.write(&mut self.text);
                    } else {
                        line.write_with(&added, &mut self.text);
                    }
                    self.ends.push(self.text.len());
                }
                Err(fault) => {
                    let reason = line::LineProblem { line: number, fault }.to_string();
                    self.set_aside(batch.batch.agent.as_str(), reason, text.as_bytes());
                }
            }
        }
    }

    fn set_aside(&mut self, agent: &str, reason: String, payload: &[u8]) {
        // One a batch is enough to look at.
        if self.aside.last().is_none_or(|last| last.payload != payload) {
            self.aside.push(Aside { agent: agent.to_owned(), reason, payload: payload.to_vec() });
        }
    }

    /// Of all lines.
    pub fn n_bytes(&self) -> usize {
        self.text.len()
    }

    /// The lines in parts of at most so many bytes, or one line, the last part first.
    pub fn parts(&self, bytes_max: usize) -> Vec<Range<usize>> {
        let mut parts: Vec<Range<usize>> = Vec::new();
        for line in 0..self.ends.len() {
            match parts.last_mut() {
                Some(part) if self.text(&(part.start..line + 1)).len() <= bytes_max => part.end = line + 1,
                _ => parts.push(line..line + 1),
            }
        }
        parts.reverse();
        parts
    }

    /// These lines as one text.
    pub fn text(&self, lines: &Range<usize>) -> &str {
        let end = |n_lines: usize| if n_lines == 0 { 0 } else { self.ends[n_lines - 1] };
        &self.text[end(lines.start)..end(lines.end)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SiteId, UnixMillis};
    use crate::store::IncomingBatch;
    use crate::wire::batch::gzip;

    fn stored(row: i64, text: &str) -> StoredBatch {
        let batch = IncomingBatch {
            agent: SiteId::parse("a").unwrap(),
            epoch: 1,
            seq: row as u64,
            crc: crc32fast::hash(text.as_bytes()),
            received_at: UnixMillis(0),
            sent_at: UnixMillis(0),
            n_samples: 1,
            packed: gzip(text.as_bytes()),
            origin: crate::store::BatchOrigin::default(),
        };
        StoredBatch { row, batch, taken_at: None, shift_ms: 0 }
    }

    #[test]
    fn lines_get_their_wisp_and_what_cannot_be_read_is_set_aside() {
        let mut broken = stored(2, "radio rsl_dbm=1 1\n");
        broken.batch.packed.truncate(10);
        let batches = [
            stored(1, "radio,link=ab rsl_dbm=1 1\nradio rsl_dbm=2 2\n"),
            broken,
            stored(3, "bad\nworse\nping loss_percent=0 3"),
        ];
        let page = Page::new(&batches, &WispIndex::new(&super::super::wisp::tests::network()));
        assert_eq!((page.last_row, page.n_batches), (Some(3), 3));
        assert_eq!(
            page.text(&(0..3)),
            "radio,link=ab,wisp=langhenet rsl_dbm=1 1\nradio rsl_dbm=2 2\nping loss_percent=0 3\n"
        );
        assert_eq!(page.text(&(1..2)), "radio rsl_dbm=2 2\n");
        let reasons: Vec<&str> = page.aside.iter().map(|a| a.reason.as_str()).collect();
        assert!(
            reasons.len() == 2 && reasons[0].contains("gzip") && reasons[1] == "line 1 has no field",
            "{reasons:?}"
        );
    }

    #[test]
    fn parts_keep_within_their_bound_but_have_a_line() {
        let page = Page::new(&[stored(1, &"radio rsl_dbm=1 1\n".repeat(5))], &WispIndex::default());
        let parts = |bytes| page.parts(bytes).into_iter().map(|p| (p.start, p.end)).collect::<Vec<_>>();
        assert_eq!(parts(1000), [(0, 5)]);
        assert_eq!(parts(36), [(4, 5), (2, 4), (0, 2)]);
        assert_eq!(parts(1), [(4, 5), (3, 4), (2, 3), (1, 2), (0, 1)]);
        assert!(Page::default().parts(1).is_empty());
    }
}
