//! Example texts that a regex matches, for common syntax.

/// The maximum number of texts for one part of a regex.
const MOST: usize = 24;

/// The maximum length of the text of a counted repetition, in bytes.
const MOST_LENGTH: usize = 4096;

/// Returns texts that should match; the caller has to check them. Empty if the syntax is not supported.
pub fn of(regex: &str) -> Vec<String> {
    let mut parser = Parser { rest: regex.chars().collect(), at: 0, depth: 0 };
    match parser.alternatives() {
        Some(texts) if parser.at == parser.rest.len() => texts,
        _ => Vec::new(),
    }
}

struct Parser {
    rest: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn eat(&mut self, letter: char) -> bool {
        let is_there = self.peek() == Some(letter);
        self.at += usize::from(is_there);
        is_there
    }

    fn alternatives(&mut self) -> Option<Vec<String>> {
        self.depth += 1;
        if self.depth > 50 {
            return None;
        }
        let mut texts = self.sequence()?;
        while self.eat('|') {
            texts.extend(self.sequence()?);
        }
        self.depth -= 1;
        texts.truncate(MOST);
        Some(texts)
    }

    fn sequence(&mut self) -> Option<Vec<String>> {
        let mut texts = vec![String::new()];
        while let Some(letter) = self.peek() {
            if letter == '|' || letter == ')' {
                break;
            }
            let part = self.repeated()?;
            // Texts with the first alternative of each part come first, so that `truncate` keeps a few examples of a
            // long regex.
            let mut longer: Vec<String> = Vec::new();
            for ending in &part {
                longer.extend(texts.iter().map(|start| format!("{start}{ending}")));
            }
            longer.truncate(MOST);
            texts = longer;
        }
        Some(texts)
    }

    fn repeated(&mut self) -> Option<Vec<String>> {
        let once = self.atom()?;
        let first = once.first().cloned().unwrap_or_default();
        let texts = match self.peek() {
            Some('*') => once.into_iter().chain([String::new(), first.repeat(2)]).collect(),
            Some('?') => once.into_iter().chain([String::new()]).collect(),
            Some('+') => once.into_iter().chain([first.repeat(2)]).collect(),
            Some('{') => {
                let end = self.rest.iter().skip(self.at).position(|letter| *letter == '}')?;
                let inside: String = self.rest.get(self.at + 1..self.at + end)?.iter().collect();
                let least: usize = inside.split(',').next()?.parse().ok().filter(|least| *least <= 64)?;
                self.at += end;
                if once.iter().any(|text| text.len().saturating_mul(least) > MOST_LENGTH) {
                    return None;
                }
                once.iter().map(|text| text.repeat(least)).collect()
            }
            _ => return Some(once),
        };
        self.at += 1;
        // A lazy quantifier matches the same texts.
        self.eat('?');
        Some(texts)
    }

    fn atom(&mut self) -> Option<Vec<String>> {
        let letter = match self.next()? {
            '(' => {
                if self.eat('?') {
                    match self.next()? {
                        ':' => {}
                        'P' | '<' => while self.next()? != '>' {},
                        _ => return None,
                    }
                }
                let texts = self.alternatives()?;
                return self.eat(')').then_some(texts);
            }
            '[' => return self.class().map(|letter| vec![letter.to_string()]),
            '^' | '$' => return Some(vec![String::new()]),
            '.' => 'x',
            '\\' => match self.next()? {
                'd' => '0',
                'w' => 'a',
                'D' | 'S' | 'W' => '-',
                'b' => return Some(vec![String::new()]),
                letter if letter.is_ascii_alphanumeric() => return None,
                letter => letter,
            },
            '*' | '+' | '?' | '{' => return None,
            letter => letter,
        };
        Some(vec![letter.to_string()])
    }

    /// A character of a class.
    fn class(&mut self) -> Option<char> {
        let is_negated = self.eat('^');
        let mut members: Vec<(char, char)> = Vec::new();
        loop {
            let start = match self.next()? {
                ']' if !members.is_empty() => break,
                '[' => return None,
                '\\' => match self.next()? {
                    'd' => {
                        members.push(('0', '9'));
                        continue;
                    }
                    'w' => {
                        members.extend([('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')]);
                        continue;
                    }
                    letter if letter.is_ascii_alphanumeric() => return None,
                    letter => letter,
                },
                letter => letter,
            };
            let is_range = self.peek() == Some('-') && self.rest.get(self.at + 1) != Some(&']');
            let end = if is_range {
                self.at += 1;
                self.next()?
            } else {
                start
            };
            members.push((start, end));
        }
        let is_member = |letter: &char| members.iter().any(|(start, end)| (start..=end).contains(&letter));
        match is_negated {
            false => members.first().map(|(start, _)| *start),
            true => ['x', 'a', '0', '-', '_', '~'].into_iter().find(|letter| !is_member(letter)),
        }
    }
}

#[cfg(test)]
mod tests {
    use regex_lite::Regex;

    use super::*;

    #[test]
    fn examples_match() {
        for (regex, least) in [
            ("/a", 1),
            ("/(a|b)/c?", 4),
            ("/v[0-9]+/(?:users|groups)/[^/]+", 4),
            (r"/files/.*\.png", 2),
            (r"/\d{4}-\d{2}/\w*?", 2),
            ("/(?P<id>[a-z_-]{2,5})/x", 1),
            (r"^/a[\w.]b$", 1),
            ("/[]a]", 1),
        ] {
            let whole = Regex::new(&format!("^(?:{regex})$")).unwrap();
            let texts = of(regex);
            let matching = texts.iter().filter(|text| whole.is_match(text)).count();
            assert!(matching >= least, "{regex}: {texts:?}");
        }
        for regex in ["(?i)/a", r"/\p{L}", "/[[:alpha:]]", "(", "/a{", "*"] {
            assert_eq!(of(regex), Vec::<String>::new(), "{regex}");
        }
        assert!(of(&"(".repeat(100_000)).is_empty());
        assert!(of("((((a{64}){64}){64}){64})").is_empty());
        assert!(of(&"(a|b)*".repeat(300)).len() <= MOST);
    }
}
