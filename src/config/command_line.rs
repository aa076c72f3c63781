//! A program and its arguments, as the file has them: a list, or a text that is split as a shell would split it.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// What stands for the foreign key in an argument.
pub(crate) const KEY: &str = "%fk";

/// A command that may be run: no word holds NUL, and the first, where there is one, is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine(Vec<String>);

/// What is wrong with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidCommand {
    #[error("a quote is opened and not closed, or the text ends in a lone backslash")]
    Unbalanced,
    #[error("the program is missing")]
    Empty,
    #[error("a word holds NUL")]
    Nul,
    #[error("the program's name holds %fk: a key may be an argument only")]
    KeyAsProgram,
}

impl CommandLine {
    /// Splits `text` into words as a shell would; it is never given to one.
    pub(crate) fn split(text: &str) -> Result<Self, InvalidCommand> {
        Self::of_words(shlex::split(text).ok_or(InvalidCommand::Unbalanced)?)
    }

    pub(crate) fn of_words(words: Vec<String>) -> Result<Self, InvalidCommand> {
        if words.iter().any(|word| word.contains('\0')) {
            return Err(InvalidCommand::Nul);
        }
        match words.first() {
            Some(program) if program.is_empty() => Err(InvalidCommand::Empty),
            Some(program) if program.contains(KEY) => Err(InvalidCommand::KeyAsProgram),
            Some(_) | None => Ok(Self(words)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the program and its arguments; `None` for the empty command.
    pub(crate) fn parts(&self) -> Option<(&str, &[String])> {
        self.0.split_first().map(|(program, arguments)| (program.as_str(), arguments))
    }

    pub(crate) fn into_words(self) -> Vec<String> {
        self.0
    }

    /// Says whether an argument holds the foreign key.
    pub(crate) fn takes_key(&self) -> bool {
        self.0.iter().any(|word| word.contains(KEY))
    }
}

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of_words(Vec::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<String>, InvalidCommand> {
        CommandLine::split(text).map(|command| command.0)
    }

    #[test]
    fn a_text_is_split_as_a_shell_would_split_it() {
        assert_eq!(
            words(r#"./a.sh  'one word' "t w o" th\ ree '' # no"#),
            Ok(["./a.sh", "one word", "t w o", "th ree", ""].map(String::from).to_vec())
        );
        assert_eq!(words("a $HOME * ;touch x"), Ok(["a", "$HOME", "*", ";touch", "x"].map(String::from).to_vec()));
        assert_eq!(words("  "), Ok(vec![]));
    }

    #[test]
    fn what_no_program_can_be_run_from_is_refused() {
        assert_eq!(words("./a 'b"), Err(InvalidCommand::Unbalanced));
        assert_eq!(words("./a \"b"), Err(InvalidCommand::Unbalanced));
        assert_eq!(words("./a \\"), Err(InvalidCommand::Unbalanced));
        assert_eq!(words("'' b"), Err(InvalidCommand::Empty));
        assert_eq!(words("./%fk.sh"), Err(InvalidCommand::KeyAsProgram));
        assert_eq!(words("a \0"), Err(InvalidCommand::Nul));
    }
}
