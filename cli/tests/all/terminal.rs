//! The prompt and progress on a terminal: a pseudo-terminal, and what its screen shows.

use super::{mlc, root};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ROWS: u16 = 40;
const COLUMNS: u16 = 100;

/// What takes longer went wrong. Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command on a terminal of its own.
struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    /// All that was ever written.
    written: Arc<Mutex<Vec<u8>>>,
    keys: Arc<Mutex<Box<dyn Write + Send>>>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    fn new(args: &[&str], state: &std::path::Path) -> Self {
        let size = PtySize {
            rows: ROWS,
            cols: COLUMNS,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(assert_cmd::cargo::cargo_bin!("mlc"));
        command.args(args);
        command.cwd(root());
        command.env("MLC_CACHE", "off");
        command.env("XDG_STATE_HOME", state);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = Arc::new(Mutex::new(pair.master.take_writer().unwrap()));
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let written = Arc::new(Mutex::new(Vec::new()));
        let (into, all, answers) = (screen.clone(), written.clone(), keys.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                let bytes = &bytes[..n];
                into.lock().unwrap().process(bytes);
                all.lock().unwrap().extend(bytes);
                // Where is the cursor? A terminal answers.
                if bytes.windows(4).any(|w| w == b"\x1b[6n") {
                    let (row, column) = into.lock().unwrap().screen().cursor_position();
                    let answer = format!("\x1b[{};{}R", row + 1, column + 1);
                    answers
                        .lock()
                        .unwrap()
                        .write_all(answer.as_bytes())
                        .unwrap();
                }
            }
        });
        Self {
            screen,
            written,
            keys,
            child,
            _master: pair.master,
        }
    }

    fn text(&self) -> String {
        let text = self.screen.lock().unwrap().screen().contents();
        let lines = text.lines().map(str::trim_end);
        lines.collect::<Vec<_>>().join("\n").trim_end().to_string()
    }

    /// Waits until the screen is as asked.
    fn until(&self, what: &str, shows: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !shows(&self.text()) {
            assert!(start.elapsed() < PATIENCE, "no {what} in:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn press(&self, keys: &str) {
        self.keys
            .lock()
            .unwrap()
            .write_all(keys.as_bytes())
            .unwrap();
    }

    /// Enters a line, and waits for what it is answered with and the prompt after it.
    fn enter(&self, line: &str, answer: &str) {
        let prompts = |t: &str| t.lines().filter(|l| l.starts_with("mlc>")).count();
        let before = prompts(&self.text());
        self.press(line);
        self.press("\r");
        self.until(answer, |t| t.contains(answer) && prompts(t) > before);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // What has ended cannot be ended, which is as well.
        let _ = self.child.kill();
    }
}

#[test]
fn the_prompt_on_a_terminal() {
    let state = tempfile::tempdir().unwrap();
    let t = Terminal::new(&["repl"], state.path());
    t.until("prompt", |s| s.contains("mlc>"));
    t.enter("let x = [1.0, 2.0]", "x is defined");
    // What a bracket leaves open goes on.
    t.press("sum(x *\r");
    t.until("second line", |s| s.contains(":::"));
    t.enter("  x)", "\n5.0");
    t.enter("y + 1", "E0100");
    // A name is completed.
    t.press("logsum\t");
    t.until("completion", |s| s.contains("logsumexp"));
    t.enter("(x)", "2.31326");
    t.enter(":type x", "[real, real]");
    // What takes too long is ended, and nothing is lost.
    t.press("scan (a = 1.0) for i in 0..2000000000 { next a = cos(a) }\r");
    std::thread::sleep(Duration::from_millis(300));
    t.press("\x03");
    t.until("end", |s| {
        s.contains("interrupted") && s.ends_with("\nmlc>")
    });
    t.enter("x[1]", "\n2.0");
    insta::assert_snapshot!(t.text());
    t.press(":quit\r");
    let mut t = t;
    assert!(t.child.wait().unwrap().success());
    let history = std::fs::read_to_string(state.path().join("mlc/history")).unwrap();
    assert!(history.contains("let x = [1.0, 2.0]"), "{history}");
}

const LONG: &str = "use std.optim.sgd
param w = 1.0
stage fit = train for 400000 steps {
  minimize w^2 over w using sgd(lr: 1e-6)
  every 200000 steps { log w }
}
";

#[test]
fn progress_on_a_terminal_and_plain_lines_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("long.ml");
    std::fs::write(&file, LONG).unwrap();
    let out = dir.path().join("run");
    let args = [
        "run",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let mut t = Terminal::new(&args, dir.path());
    assert!(t.child.wait().unwrap().success());
    t.until("end", |s| s.contains("done in"));
    let written = String::from_utf8_lossy(&t.written.lock().unwrap()).into_owned();
    assert!(
        written.contains("/400000") && written.contains("/s") && written.contains("left"),
        "{written}"
    );
    // At the end the bar is gone, and what was logged has stayed.
    let shown = t.text();
    assert!(!shown.contains("/400000"), "{shown}");
    assert_eq!(shown.matches("fit  step").count(), 2, "{shown}");
    std::fs::remove_dir_all(&out).unwrap();
    let plain = mlc().args(args).output().unwrap();
    let said = String::from_utf8([plain.stdout, plain.stderr].concat()).unwrap();
    assert!(said.starts_with("fit  step 200000  w 0.6703\n"), "{said}");
    assert!(!said.contains('\x1b') && !said.contains('\r'), "{said:?}");
}
