//! Conditions in SQL taken apart, as far as those of Splink go.

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    /// A column of one of the two records: `"surname_l"`.
    Column(String, Side),
    Number(f64),
    Text(String),
    /// A function, its name in lower case.
    Call(String, Vec<Self>),
    Compare(Order, Box<Self>, Box<Self>),
    IsNull(Box<Self>),
    IsNotNull(Box<Self>),
    Minus(Box<Self>, Box<Self>),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    /// All other records.
    Else,
}

/// Of which of the two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// How two numbers or texts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Order {
    /// The same with the sides changed.
    pub(super) const fn turned(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }
}

/// The longest condition that is read, in bytes: the one that lists short names has some 9,000.
const LONGEST: usize = 100_000;

/// How deep parentheses may stand in each other.
const DEEPEST: u32 = 50;

/// The expression that a text is; none where it is none, or of another kind.
pub(super) fn parsed(sql: &str) -> Option<Expression> {
    if sql.len() > LONGEST {
        return None;
    }
    if sql.trim().eq_ignore_ascii_case("else") {
        return Some(Expression::Else);
    }
    let mut reader = Reader { tokens: tokens(sql)?, at: 0, depth: 0 };
    let whole = reader.any()?;
    reader.peek().is_none().then_some(whole)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A name or a key word, as written, without quotation marks.
    Word(String),
    /// A name in quotation marks, which is never a key word.
    Name(String),
    Number(f64),
    Text(String),
    Sign(&'static str),
}

const SIGNS: &[&str] =
    &["::", "<=", ">=", "==", "<>", "!=", "=", "<", ">", "(", ")", ",", "-", "+", "*", "/", "."];

fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '`' | '\'' => {
                let (text, length) = within_marks(rest, first)?;
                tokens.push(if first == '\'' { Token::Text(text) } else { Token::Name(text) });
                length
            }
            c if c.is_ascii_digit() => {
                let end = |c: char| !(c.is_ascii_digit() || c == '.');
                let length = rest.find(end).unwrap_or(rest.len());
                tokens.push(Token::Number(rest.get(..length)?.parse().ok()?));
                length
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = |c: char| !(c.is_alphanumeric() || c == '_');
                let length = rest.find(end).unwrap_or(rest.len());
                tokens.push(Token::Word(rest.get(..length)?.to_owned()));
                length
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
                tokens.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(tokens)
}

/// The text between quotation marks, of which two stand for one, and how long all of it is.
fn within_marks(rest: &str, mark: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c != mark {
            text.push(c);
        } else if characters.peek().is_some_and(|(_, next)| *next == mark) {
            text.push(c);
            characters.next();
        } else {
            return Some((text, at + mark.len_utf8()));
        }
    }
    None
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is =
            matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(is);
        is
    }

    fn any(&mut self) -> Option<Expression> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut all = vec![self.all()?];
        while self.takes_word("or") {
            all.push(self.all()?);
        }
        self.depth -= 1;
        Some(one_or(all, Expression::Any))
    }

    fn all(&mut self) -> Option<Expression> {
        let mut all = vec![self.not()?];
        while self.takes_word("and") {
            all.push(self.not()?);
        }
        Some(one_or(all, Expression::All))
    }

    fn not(&mut self) -> Option<Expression> {
        let mut is_not = false;
        while self.takes_word("not") {
            is_not = !is_not;
        }
        let compared = self.comparison()?;
        Some(if is_not { Expression::Not(Box::new(compared)) } else { compared })
    }

    fn comparison(&mut self) -> Option<Expression> {
        let left = self.sum()?;
        if self.takes_word("is") {
            let is_not = self.takes_word("not");
            let left = Box::new(left);
            return self.takes_word("null").then_some(if is_not {
                Expression::IsNotNull(left)
            } else {
                Expression::IsNull(left)
            });
        }
        let order = match self.peek() {
            Some(Token::Sign("=" | "==")) => Order::Equal,
            Some(Token::Sign("<=")) => Order::AtMost,
            Some(Token::Sign("<")) => Order::Less,
            Some(Token::Sign(">=")) => Order::AtLeast,
            Some(Token::Sign(">")) => Order::More,
            _ => return Some(left),
        };
        self.at += 1;
        Some(Expression::Compare(order, Box::new(left), Box::new(self.sum()?)))
    }

    fn sum(&mut self) -> Option<Expression> {
        let mut left = self.primary()?;
        while self.takes_sign("-") {
            left = Expression::Minus(Box::new(left), Box::new(self.primary()?));
        }
        Some(left)
    }

    fn primary(&mut self) -> Option<Expression> {
        let mut found = match self.next()? {
            Token::Number(number) => Expression::Number(number),
            Token::Text(text) => Expression::Text(text),
            Token::Sign("(") => {
                let inside = self.any()?;
                self.takes_sign(")").then_some(inside)?
            }
            Token::Word(name) if self.takes_sign("(") => self.call(&name.to_ascii_lowercase())?,
            Token::Word(name) | Token::Name(name) => column(&name)?,
            Token::Sign(_) => return None,
        };
        // A cast changes nothing that cx compares: it knows what is a date.
        while self.takes_sign("::") {
            if !matches!(self.next()?, Token::Word(_)) {
                return None;
            }
        }
        if self.takes_sign(".") {
            found = Expression::Call("field".to_owned(), vec![found]);
        }
        Some(found)
    }

    fn call(&mut self, name: &str) -> Option<Expression> {
        let mut arguments = Vec::new();
        while !self.takes_sign(")") {
            if !arguments.is_empty() && !self.takes_sign(",") {
                return None;
            }
            arguments.push(self.any()?);
            if matches!(name, "cast" | "try_cast") {
                let is_cast = self.takes_word("as")
                    && matches!(self.next(), Some(Token::Word(_)))
                    && self.takes_sign(")");
                return is_cast.then(|| arguments.pop()).flatten();
            }
        }
        Some(Expression::Call(name.to_owned(), arguments))
    }
}

fn one_or(mut all: Vec<Expression>, of: fn(Vec<Expression>) -> Expression) -> Expression {
    match all.len() {
        1 => all.pop().unwrap_or(Expression::Else),
        _ => of(all),
    }
}

fn column(name: &str) -> Option<Expression> {
    let left = name.strip_suffix("_l").map(|name| (name, Side::Left));
    let (name, side) = left.or_else(|| Some((name.strip_suffix("_r")?, Side::Right)))?;
    (!name.is_empty()).then(|| Expression::Column(name.to_owned(), side))
}
