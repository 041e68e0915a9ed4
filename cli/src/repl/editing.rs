//! The prompt on a terminal: history, several lines, colours, completion.

use super::commands::COMMANDS;
use super::{Repl, complete};
use mlc_compiler::stdlib;
use mlc_grammar::{TokenKind, tokens};
use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, Completer, CompletionResult, DefaultPrompt, DefaultPromptSegment, EditCommand,
    Emacs, FileBackedHistory, Highlighter, KeyCode, KeyModifiers, MenuBuilder, Reedline,
    ReedlineEvent, ReedlineMenu, Signal, Span, StyledText, Suggestion, ValidationResult, Validator,
    default_emacs_keybindings,
};
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const MENU: &str = "completion";

/// Names that may be completed: they grow with what is defined.
type Names = Arc<Mutex<Vec<String>>>;

struct ByName(Names);

/// Where the word that ends at `at` begins.
fn word_start(line: &str, at: usize) -> usize {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':');
    let before = &line[..at];
    before.trim_end_matches(part).len()
}

impl Completer for ByName {
    fn complete(&mut self, line: &str, at: usize) -> CompletionResult {
        let start = word_start(line, at);
        let word = &line[start..at];
        let names = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let matching = names
            .iter()
            .filter(|n| !word.is_empty() && n.starts_with(word));
        let suggestion = |n: &String| Suggestion {
            value: n.clone(),
            span: Span::new(start, at),
            ..Suggestion::default()
        };
        CompletionResult::fresh(matching.map(suggestion).collect::<Vec<_>>())
    }
}

struct Whole;

impl Validator for Whole {
    fn validate(&self, text: &str) -> ValidationResult {
        if complete(text) {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

/// Colours numbers, strings, comments, and the words of the language.
struct Colours {
    words: HashSet<String>,
}

impl Highlighter for Colours {
    fn highlight(&self, text: &str, _: usize) -> StyledText {
        let mut out = StyledText::new();
        let mut at = 0;
        let plain = Style::new();
        for t in tokens(text) {
            let style = match t.kind {
                TokenKind::Number => Style::new().fg(Color::Cyan),
                TokenKind::Text => Style::new().fg(Color::Green),
                TokenKind::Comment => Style::new().fg(Color::DarkGray),
                TokenKind::Word if self.words.contains(&text[t.start..t.end]) => {
                    Style::new().fg(Color::Purple)
                }
                _ => plain,
            };
            out.push((plain, text[at..t.start].to_string()));
            out.push((style, text[t.start..t.end].to_string()));
            at = t.end;
        }
        out.push((plain, text[at..].to_string()));
        out
    }
}

fn history_file() -> Option<PathBuf> {
    let home = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/state")))?;
    Some(home.join("mlc").join("history"))
}

fn editor(names: &Names, words: HashSet<String>) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let next = vec![ReedlineEvent::Menu(MENU.into()), ReedlineEvent::MenuNext];
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(next),
    );
    let newline = ReedlineEvent::Edit(vec![EditCommand::InsertNewline]);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, newline);
    let menu = ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name(MENU)));
    let mut editor = Reedline::create()
        .with_completer(Box::new(ByName(names.clone())))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_menu(menu)
        .with_highlighter(Box::new(Colours { words }))
        .with_validator(Box::new(Whole))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    if let Some(path) = history_file() {
        match FileBackedHistory::with_file(1000, path) {
            Ok(h) => editor = editor.with_history(Box::new(h)),
            Err(e) => complain!("warning: no history: {e}"),
        }
    }
    editor
}

/// What does not change while a session lasts.
struct Library {
    /// Commands, what is built in, words, and modules with their names.
    names: Vec<String>,
    words: HashSet<String>,
}

impl Library {
    /// Reads the whole library, so once a session.
    fn read() -> Self {
        let mut names: Vec<String> = COMMANDS.iter().map(|c| c.0.to_string()).collect();
        names.extend(stdlib::names().map(|m| format!("std.{m}")));
        let mut words = HashSet::new();
        for e in stdlib::entries() {
            match e.module.as_str() {
                stdlib::LANGUAGE => {
                    words.insert(e.name.clone());
                    names.push(e.name);
                }
                // These need no module.
                stdlib::BUILT_IN | "std.prelude" => names.push(e.name),
                module => names.push(format!("{module}.{}", e.name)),
            }
        }
        Self { names, words }
    }

    /// All that can be written: its own names, and those that are defined.
    fn and(&self, defined: Vec<String>) -> Vec<String> {
        let mut names = self.names.clone();
        names.extend(defined);
        names.sort();
        names.dedup();
        names
    }
}

/// Reads entries from a terminal.
///
/// # Errors
/// If the terminal cannot be read.
pub fn session(repl: &mut Repl) -> io::Result<()> {
    say!("mlc {} (:help for help)", env!("CARGO_PKG_VERSION"));
    let mut library = Library::read();
    let words = std::mem::take(&mut library.words);
    let all = |repl: &Repl| library.and(repl.pipeline.session.names());
    let names: Names = Arc::new(Mutex::new(all(repl)));
    let mut editor = editor(&names, words);
    let prompt = DefaultPrompt::new(
        DefaultPromptSegment::Basic("mlc".into()),
        DefaultPromptSegment::Empty,
    );
    loop {
        match editor.read_line(&prompt).map_err(io::Error::other)? {
            Signal::Success(text) => {
                if !repl.entry(&text) {
                    return Ok(());
                }
                *names.lock().unwrap_or_else(|e| e.into_inner()) = all(repl);
            }
            Signal::CtrlD => return Ok(()),
            _ => {}
        }
    }
}
