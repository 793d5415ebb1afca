//! Bytes of a pipe as lines.

use std::collections::VecDeque;

/// A line may be this long: scores of ten thousand nodes are a quarter of it.
pub(super) const LONGEST_LINE: usize = 1 << 20;
/// How many lines of standard error are kept.
const LAST_LINES: usize = 20;
/// How many bytes of each.
const LAST_LINE_LENGTH: usize = 400;

/// Lines as they come in.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// The line taken last.
    taken: std::ops::Range<usize>,
    /// Up to here there is no end of a line after the one taken.
    searched: usize,
}

impl Lines {
    /// Adds bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken.end);
        self.searched -= self.taken.end;
        self.taken = 0..0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Goes on to the next whole line, if there is one.
    ///
    /// # Errors
    /// If it is too long.
    pub(super) fn next(&mut self) -> Result<bool, String> {
        let rest = &self.bytes[self.searched..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return match self.searched - self.taken.end > LONGEST_LINE {
                true => Err(format!("an answer longer than {} MiB", LONGEST_LINE >> 20)),
                false => Ok(false),
            };
        };
        self.taken = self.taken.end..self.searched + length + 1;
        self.searched = self.taken.end;
        Ok(true)
    }

    /// Whether there is nothing after the line taken last.
    pub(super) fn wants_more(&self) -> bool {
        self.taken.end == self.bytes.len()
    }

    /// The line that [`next`](Self::next) went to, with its end.
    pub(super) fn line(&self) -> &[u8] {
        &self.bytes[self.taken.clone()]
    }
}

/// The last lines of standard error.
#[derive(Debug, Default)]
pub(super) struct LastLines {
    lines: VecDeque<Vec<u8>>,
    /// Whether the last line has no end yet.
    open: bool,
}

impl LastLines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.open {
                self.lines.push_back(Vec::new());
            }
            self.open = !part.ends_with(b"\n");
            let last = self.lines.back_mut().expect("one was added if there was none");
            let room = LAST_LINE_LENGTH.saturating_sub(last.len());
            last.extend(part.iter().filter(|byte| **byte != b'\n').take(room));
            if self.lines.len() > LAST_LINES {
                self.lines.pop_front();
            }
        }
    }

    /// As text that can be shown: without control characters.
    pub(super) fn text(&self) -> Vec<String> {
        let clean = |line: &Vec<u8>| {
            let text = String::from_utf8_lossy(line).replace('\t', "    ");
            text.trim_end().replace(char::is_control, "\u{fffd}")
        };
        self.lines.iter().map(clean).filter(|line| !line.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_they_come_in() {
        let text = b"one\ntwo\n\nfour";
        for size in 1..=text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for part in text.chunks(size) {
                lines.push(part);
                while lines.next().unwrap() {
                    found.push(String::from_utf8(lines.line().to_vec()).unwrap());
                }
            }
            assert_eq!(found, ["one\n", "two\n", "\n"], "parts of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LONGEST_LINE]);
        assert_eq!(lines.next(), Ok(false));
        lines.push(b"x");
        assert!(lines.next().unwrap_err().contains("1 MiB"));
    }

    #[test]
    fn the_last_lines_are_few_and_short() {
        let mut last = LastLines::default();
        for line in 0..50 {
            last.push(b"li");
            last.push(format!("ne {line}\n").as_bytes());
        }
        last.push(&vec![b'y'; 5000]);
        let text = last.text();
        assert_eq!((text.len(), text[0].as_str()), (LAST_LINES, "line 31"));
        assert_eq!(text[19].len(), LAST_LINE_LENGTH);
        last.push(b"\n\x1b[31mred\n");
        assert!(!last.text().concat().contains('\x1b'));
    }
}
