//! The prompt on a terminal: history, several lines, colours, completion.

use super::commands::COMMANDS;
use super::{Repl, complete};
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

impl Colours {
    fn new() -> Self {
        let entries = mlc_compiler::stdlib::entries().into_iter();
        let words = entries.filter(|e| e.module == mlc_compiler::stdlib::LANGUAGE);
        Self {
            words: words.map(|e| e.name).collect(),
        }
    }
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

fn editor(names: &Names) -> Reedline {
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
        .with_highlighter(Box::new(Colours::new()))
        .with_validator(Box::new(Whole))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    if let Some(path) = history_file() {
        match FileBackedHistory::with_file(1000, path) {
            Ok(h) => editor = editor.with_history(Box::new(h)),
            Err(e) => eprintln!("warning: no history: {e}"),
        }
    }
    editor
}

impl Repl {
    /// All that can be written: commands, what is defined, what is built in, words, and modules.
    fn names(&self) -> Vec<String> {
        let mut names = self.pipeline.session.names();
        names.extend(COMMANDS.iter().map(|c| c.0.to_string()));
        names.extend(mlc_compiler::stdlib::names().map(|m| format!("std.{m}")));
        for e in mlc_compiler::stdlib::entries() {
            match e.module.as_str() {
                mlc_compiler::stdlib::BUILT_IN | mlc_compiler::stdlib::LANGUAGE => {
                    names.push(e.name)
                }
                // Its names need no module.
                "std.prelude" => names.push(e.name),
                module => names.push(format!("{module}.{}", e.name)),
            }
        }
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
    println!("mlc {} (:help for help)", env!("CARGO_PKG_VERSION"));
    let names: Names = Arc::new(Mutex::new(repl.names()));
    let mut editor = editor(&names);
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
                *names.lock().unwrap_or_else(|e| e.into_inner()) = repl.names();
            }
            Signal::CtrlD => return Ok(()),
            _ => {}
        }
    }
}
