//! From text to the syntax tree of one query.
//!
//! What a text may cost is bounded before it is parsed: the parser refuses what is nested too deep, but chains
//! (`a AND b AND c`, `a IS NULL IS NULL`) become trees as deep as they are long, which are walked by recursion.

use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::TEXT_BYTES_MAX;
use super::error::{Spot, SqlError, unsupported};

/// Keywords and operators of a statement: each can make a tree one deeper.
const LINKS_MAX: usize = 1_024;
/// Brackets, subqueries and the like inside each other.
const NESTING_MAX: usize = 32;
/// Of these, brackets that belong to a word before them, as in `cast(…)`: the parser reads what is inside up to three
/// times to find out what it is, so its time is a power of them.
const CALLS_MAX: usize = 4;

/// A statement that was read, and its words, for the places of those that the tree does not keep.
pub(super) struct Parsed {
    pub query: Box<Query>,
    tokens: Vec<TokenWithSpan>,
}

impl Parsed {
    /// Where a keyword stands first.
    pub fn spot_of(&self, wanted: Keyword) -> Spot {
        let is_it = |token: &&TokenWithSpan| matches!(&token.token, Token::Word(word) if word.keyword == wanted);
        let found = self.tokens.iter().find(is_it);
        found.map_or_else(Spot::default, |token| token.span.into())
    }
}

pub(super) fn statement(text: &str) -> Result<Parsed, SqlError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SqlError::TooMuch {
            what: "bytes of SQL",
            max: TEXT_BYTES_MAX,
        });
    }
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| SqlError::Syntax {
        message: error.message,
        at: error.location.into(),
    })?;
    if tokens.iter().filter(|token| is_link(&token.token)).count() > LINKS_MAX {
        return Err(SqlError::TooMuch {
            what: "keywords and operators",
            max: LINKS_MAX,
        });
    }
    check_calls(&tokens)?;
    let parser = Parser::new(&dialect).with_recursion_limit(NESTING_MAX);
    let mut parser = parser.with_tokens_with_locations(tokens.clone());
    let statements = parser.parse_statements();
    let statements = statements.map_err(|error| syntax(error, text))?;
    one(statements, tokens)
}

fn one(statements: Vec<Statement>, tokens: Vec<TokenWithSpan>) -> Result<Parsed, SqlError> {
    let mut words = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let Some(first) = words.next() else {
        return Err(SqlError::Syntax {
            message: "there is no statement".to_owned(),
            at: Spot::from(Location::new(1, 1)),
        });
    };
    let (verb, at) = (first.token.to_string().to_uppercase(), first.span);
    if statements.len() > 1 {
        let semicolon = tokens.iter().find(|token| token.token == Token::SemiColon);
        let at = semicolon.map_or(at, |token| token.span);
        return Err(unsupported(
            "more than one statement",
            "Send one SELECT at a time.",
            at,
        ));
    }
    match statements.into_iter().next() {
        Some(Statement::Query(query)) => Ok(Parsed { query, tokens }),
        Some(_) => Err(unsupported(
            verb,
            "Everything here is read-only: send one SELECT.",
            at,
        )),
        None => Err(SqlError::Syntax {
            message: "there is no statement".to_owned(),
            at: at.into(),
        }),
    }
}

fn check_calls(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let (mut brackets, mut calls, mut is_word) = (Vec::new(), 0, false);
    for token in tokens {
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => {
                brackets.push(is_word);
                calls += usize::from(is_word);
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                calls -= usize::from(brackets.pop() == Some(true));
            }
            _ => {}
        }
        is_word = matches!(&token.token, Token::Word(word) if !opens_conditions(word.keyword));
        if calls > CALLS_MAX {
            return Err(SqlError::TooMuch {
                what: "calls inside each other",
                max: CALLS_MAX,
            });
        }
    }
    Ok(())
}

/// Words after which brackets hold conditions, values or a subquery, and are no call's.
fn opens_conditions(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::WHERE
            | Keyword::ON
            | Keyword::HAVING
            | Keyword::IN
            | Keyword::EXISTS
    )
}

/// Whatever is no name, value, comma, point, bracket or blank.
fn is_link(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::Whitespace(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_)
        | Token::EOF => false,
        _ => true,
    }
}

/// The parser says where only in words: `Expected: …, found: … at Line: 1, Column: 8`.
fn syntax(error: ParserError, text: &str) -> SqlError {
    let message = match error {
        ParserError::RecursionLimitExceeded => {
            return SqlError::TooMuch {
                what: "brackets and subqueries inside each other",
                max: NESTING_MAX,
            };
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    let place = message.rsplit_once(" at Line: ").and_then(|(said, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let location = Location::new(line.parse().ok()?, column.parse().ok()?);
        Some((said.to_owned(), location))
    });
    // What is missing at the end has no place of its own.
    let last = text.trim_end().lines().last().unwrap_or_default();
    let lines = text.trim_end().lines().count().max(1) as u64;
    let end = Location::new(lines, last.chars().count() as u64 + 1);
    let (message, location) = place.unwrap_or((message, end));
    SqlError::Syntax {
        message: message.replacen("Expected: ", "expected ", 1).replacen(
            ", found: ",
            " and found ",
            1,
        ),
        at: location.into(),
    }
}
