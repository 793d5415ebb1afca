//! The child process of an external policy. Nothing here waits for ever, whatever the program does:
//! all three pipes are non-blocking, and its end is a file descriptor as well.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::lines::{LastLines, Lines};

/// A program that is not wanted any more has this long to end by itself. A process that plays for
/// others has half a second to end in all.
const SHORT_GRACE: Duration = Duration::from_millis(200);
/// A program that hangs up is probably about to end: so long its last words are waited for.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// As much as is read at once; a pipe holds no more.
const CHUNK: usize = 1 << 16;

/// Where the program `name` is: relative to `folder` if it has a slash, on the search path if not.
pub fn find_program(name: &str, folder: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        let path = std::path::absolute(folder.join(name)).ok()?;
        return path.is_file().then_some(path);
    }
    let folders = std::env::var_os("PATH")?;
    // An empty entry and a relative one would mean another folder than that of the topology.
    let candidates = std::env::split_paths(&folders).filter(|path| path.is_absolute());
    candidates.map(|path| path.join(name)).find(|path| path.is_file())
}

#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Becomes readable when the process ends.
    end: OwnedFd,
    /// None once it is closed, on either side.
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    outgoing: Vec<u8>,
    written: usize,
    lines: Lines,
    last_lines: LastLines,
    room: Box<[u8]>,
    reaped: bool,
}

impl Process {
    /// Starts `command` in `folder`.
    ///
    /// # Errors
    /// In words, why it cannot be started.
    pub(super) fn start(command: &[String], folder: &Path) -> Result<Process, String> {
        let (name, arguments) = command.split_first().ok_or("its command is empty")?;
        let failed = |error: &dyn std::fmt::Display| format!("cannot start `{name}`: {error}");
        let program = find_program(name, folder).ok_or_else(|| failed(&"there is none"))?;
        let folder = std::path::absolute(folder.join(".")).map_err(|error| failed(&error))?;
        let mut command = Command::new(program);
        // What the environment says is for Fogbit, and would change a served policy.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FOGBIT_") {
                command.env_remove(name);
            }
        }
        command
            .arg0(name)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is for Fogbit, which ends its children in order; and whatever
            // the program starts itself is ended with it.
            .process_group(0);
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let end = match unblock(&child) {
            Ok(end) => end,
            Err(error) => {
                // It has done nothing yet.
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(&error));
            }
        };
        Ok(Process {
            end,
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            outgoing: Vec::new(),
            written: 0,
            lines: Lines::default(),
            last_lines: LastLines::default(),
            room: vec![0; CHUNK].into(),
            reaped: false,
        })
    }

    /// Where messages are written; [`flush`](Self::flush) sends them.
    pub(super) fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// Writes as much as the pipe takes now; the rest goes with [`pump`](Self::pump).
    pub(super) fn flush(&mut self) {
        while let Some(stdin) = &mut self.stdin {
            if self.written == self.outgoing.len() {
                break;
            }
            match stdin.write(&self.outgoing[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // It reads no more. Most likely it has ended, which its other pipes will say.
                Err(_) => self.stdin = None,
            }
        }
        self.outgoing.clear();
        self.written = 0;
    }

    /// Goes on to the next line of its answers, if one is there.
    ///
    /// # Errors
    /// If there will be none.
    pub(super) fn next_line(&mut self) -> Result<bool, String> {
        if self.lines.next()? {
            return Ok(true);
        }
        if self.stdout.is_some() {
            return Ok(false);
        }
        if !self.wait_for_last_words() {
            return Err("its program closed its standard output".into());
        }
        Err(match self.kill() {
            Some(status) => format!("its program ended ({status})"),
            None => "its program ended".into(),
        })
    }

    /// The line that [`next_line`](Self::next_line) went to.
    pub(super) fn line(&self) -> &[u8] {
        self.lines.line()
    }

    /// Waits until a pipe is ready, no longer than `wait`, and reads and writes what there is.
    /// `false` if nothing happened.
    pub(super) fn pump(&mut self, wait: Duration) -> bool {
        let want_write = self.written < self.outgoing.len();
        let stdin = self.stdin.as_ref().filter(|_| want_write);
        let all = [
            stdin.map(|pipe| PollFd::new(pipe, PollFlags::OUT)),
            self.stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
            self.stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        ];
        let [write, answers, stderr] = poll_some(all, wait);
        if write {
            self.flush();
        }
        if answers {
            self.read_answers();
        }
        if stderr {
            self.read_stderr();
        }
        write || answers || stderr
    }

    /// Looks for answers without sleeping, for no longer than `wait`, and lets others run meanwhile.
    pub(super) fn look_for(&mut self, wait: Duration) {
        let deadline = Instant::now() + wait;
        while self.lines.wants_more() && !self.read_answers() && Instant::now() < deadline {
            rustix::thread::sched_yield();
        }
    }

    /// Reads what is there; `false` if there is nothing yet.
    fn read_answers(&mut self) -> bool {
        let Some(stdout) = &mut self.stdout else { return true };
        match stdout.read(&mut self.room) {
            Ok(0) => self.stdout = None,
            Ok(bytes) => self.lines.push(&self.room[..bytes]),
            Err(error) if retry(&error) => return false,
            Err(_) => self.stdout = None,
        }
        true
    }

    fn read_stderr(&mut self) {
        let Some(stderr) = &mut self.stderr else { return };
        match stderr.read(&mut self.room) {
            Ok(0) => self.stderr = None,
            Ok(bytes) => self.last_lines.push(&self.room[..bytes]),
            Err(error) if retry(&error) => {}
            Err(_) => self.stderr = None,
        }
    }

    /// What it wrote to standard error last.
    pub(super) fn last_lines(&mut self) -> Vec<String> {
        // What is in the pipe already; it holds no more than this.
        for _ in 0..4 {
            self.read_stderr();
        }
        self.last_lines.text()
    }

    /// After it hung up: waits for its end and the rest of its standard error; says whether it has
    /// ended.
    fn wait_for_last_words(&mut self) -> bool {
        let deadline = Instant::now() + LAST_WORDS;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = self.has_ended(left);
            if ended || left.is_zero() {
                return ended;
            }
        }
    }

    /// Closes its standard input, which tells it to end.
    pub(super) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end, no longer than `wait`, and takes in what it says meanwhile. It may come
    /// back early.
    pub(super) fn has_ended(&mut self, wait: Duration) -> bool {
        if self.reaped {
            return true;
        }
        let all = [
            Some(PollFd::new(&self.end, PollFlags::IN)),
            self.stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
            self.stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        ];
        let [ended, answers, stderr] = poll_some(all, wait);
        if answers {
            // Nobody waits for these answers.
            let read = self.stdout.as_mut().map(|stdout| stdout.read(&mut self.room));
            if !matches!(read, Some(Ok(1..))) {
                self.stdout = None;
            }
        }
        if stderr {
            self.read_stderr();
        }
        ended
    }

    /// Kills what is left of it and of what it has started, and lets the system forget it. Gives how
    /// it ended, the first time.
    pub(super) fn kill(&mut self) -> Option<ExitStatus> {
        if self.reaped {
            return None;
        }
        // As long as it is not reaped, nobody else has its number. Both fail where it has ended.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
        self.reaped = true;
        self.child.wait().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.hang_up();
        let deadline = Instant::now() + SHORT_GRACE;
        while !self.reaped {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.has_ended(left) || left.is_zero() {
                self.kill();
            }
        }
    }
}

/// Has no pipe of the child block whoever uses it; gives what becomes readable at its end.
fn unblock(child: &Child) -> rustix::io::Result<OwnedFd> {
    let pipes = [
        child.stdin.as_ref().map(AsFd::as_fd),
        child.stdout.as_ref().map(AsFd::as_fd),
        child.stderr.as_ref().map(AsFd::as_fd),
    ];
    pipes.into_iter().flatten().try_for_each(|pipe| fcntl_setfl(pipe, OFlags::NONBLOCK))?;
    pidfd_open(Pid::from_child(child), PidfdFlags::empty())
}

fn retry(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Polls those that are there, for no longer than `wait`; says which of them are ready. A signal ends
/// the wait early.
fn poll_some<const N: usize>(all: [Option<PollFd<'_>>; N], wait: Duration) -> [bool; N] {
    let mut asked: Vec<PollFd<'_>> = all.iter().flatten().cloned().collect();
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
    let timeout = Timespec { tv_sec: seconds, tv_nsec: wait.subsec_nanos().into() };
    // It fails only where a signal came, or where memory is short; whoever waits asks again.
    let polled = poll(&mut asked, Some(&timeout)).is_ok();
    let mut answers = asked.into_iter();
    all.map(|fd| {
        fd.and_then(|_| answers.next()).is_some_and(|fd| polled && !fd.revents().is_empty())
    })
}
