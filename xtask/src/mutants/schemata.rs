//! Mutant schemata: one source text that contains all mutations, of which at most one is active.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::command::Result;

/// Path of the function that says if a mutation is active, in the crate of the mutation.
const IS_ACTIVE: &str = "crate::mutation::is_active";

/// Path of the type of two iterators, in the same crate.
const EITHER: &str = "crate::mutation::Either";

/// A mutation that cargo-mutants lists.
pub struct Mutant {
    /// Location and description, such as `src/a.rs:1:2: replace a -> bool with true`.
    pub name: String,
    /// Path from the root of the repository.
    pub file: String,
    genre: String,
    replacement: String,
    start: Position,
    end: Position,
}

/// Line and column, counted from 1.
#[derive(Clone, Copy)]
struct Position {
    line: usize,
    column: usize,
}

impl Mutant {
    /// Reads an element of the list of cargo-mutants.
    ///
    /// # Errors
    /// If a member is missing.
    pub fn from_json(json: &Value) -> Result<Mutant> {
        let text = |name: &str| Ok::<_, String>(json[name].as_str().ok_or(name)?.to_owned());
        let position = |end: &str| {
            let number = |name: &str| {
                json.pointer(&format!("/span/{end}/{name}")).and_then(Value::as_u64).ok_or(name.to_owned())
            };
            Ok::<_, String>(Position { line: number("line")? as usize, column: number("column")? as usize })
        };
        Ok(Mutant {
            name: text("name")?,
            file: text("file")?,
            genre: text("genre")?,
            replacement: text("replacement")?,
            start: position("start")?,
            end: position("end")?,
        })
    }

    /// Returns the text of the file with this mutation alone.
    pub fn apply(&self, text: &str) -> String {
        let Range { start, end } = self.range(text);
        [text.get(..start).unwrap_or_default(), &self.replacement, text.get(end..).unwrap_or_default()]
            .concat()
    }

    fn range(&self, text: &str) -> Range<usize> {
        offset(text, self.start)..offset(text, self.end)
    }
}

fn offset(text: &str, position: Position) -> usize {
    let before: usize = text.split_inclusive('\n').take(position.line - 1).map(str::len).sum();
    let line = text.get(before..).unwrap_or_default();
    before + line.chars().take(position.column - 1).map(char::len_utf8).sum::<usize>()
}

/// The form in which mutations become part of a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// Statements at the start of a function body.
    Body,
    /// Alternatives to the iterator of a function body, as one type.
    Iterator,
    /// Alternatives to an expression.
    Expression,
    /// A condition behind the pattern of a match arm.
    Arm,
    /// The value that a match compares. The text is the same; errors there are those of the arms.
    Matched,
}

/// Mutations of one part of the text, with the text that each of them puts in its place.
struct Node {
    range: Range<usize>,
    form: Form,
    variants: Vec<(usize, String)>,
}

/// A text with all mutations.
pub struct Schema {
    /// The text.
    pub text: String,
    /// Parts of the text that exist for these mutations only.
    regions: Vec<(Range<usize>, Vec<usize>)>,
}

impl Schema {
    /// Puts mutations, given with their numbers, into the text of their file.
    ///
    /// # Errors
    /// If the text is not Rust.
    pub fn new(text: &str, mutants: &[(usize, &Mutant)]) -> Result<Schema> {
        let mut finder = Finder { text, mutants: BTreeMap::new(), nodes: BTreeMap::new() };
        for (number, mutant) in mutants {
            let range = mutant.range(text);
            if mutant.genre == "FnValue" {
                let is_iterator = mutant.replacement.starts_with("::std::iter::");
                let form = if is_iterator { Form::Iterator } else { Form::Body };
                finder.add(range, form, *number, mutant.replacement.clone());
            } else {
                finder.mutants.entry(range.start).or_default().push((*number, mutant));
            }
        }
        finder.visit_file(&syn::parse_file(text)?);
        let mut nodes: Vec<Node> = finder.nodes.into_values().collect();
        nodes.sort_by_key(|node| (node.range.start, usize::MAX - node.range.end, node.form));
        let mut schema = Schema { text: String::new(), regions: Vec::new() };
        schema.write(text, 0..text.len(), &mut nodes.iter().peekable());
        Ok(schema)
    }

    /// Returns the mutations in the smallest part of the text around a range.
    pub fn mutants_at(&self, range: &Range<usize>) -> Option<&[usize]> {
        let around =
            self.regions.iter().filter(|(region, _)| region.start <= range.start && range.end <= region.end);
        around.min_by_key(|(region, _)| region.len()).map(|(_, mutants)| mutants.as_slice())
    }

    fn write<'n>(
        &mut self,
        text: &str,
        range: Range<usize>,
        nodes: &mut std::iter::Peekable<impl Iterator<Item = &'n Node>>,
    ) {
        let mut position = range.start;
        while let Some(node) = nodes.next_if(|node| node.range.start < range.end) {
            self.text += text.get(position..node.range.start).unwrap_or_default();
            position = node.range.end;
            let start = self.text.len();
            if node.form == Form::Expression {
                self.text.push('(');
            }
            for (number, variant) in &node.variants {
                let start = self.text.len();
                self.text += &match node.form {
                    Form::Body => format!("if {IS_ACTIVE}({number}) {{ return {variant}; }} "),
                    Form::Iterator => {
                        format!(
                            "if {IS_ACTIVE}({number}) {{ {EITHER}::Left({variant}) }} else {{ {EITHER}::Right("
                        )
                    }
                    Form::Expression => format!("if {IS_ACTIVE}({number}) {{ {variant} }} else "),
                    Form::Arm => format!(" if !{IS_ACTIVE}({number})"),
                    Form::Matched => String::new(),
                };
                if start < self.text.len() {
                    self.regions.push((start..self.text.len(), vec![*number]));
                }
            }
            if matches!(node.form, Form::Expression | Form::Iterator) {
                self.text += "{ ";
                self.write(text, node.range.clone(), nodes);
                self.text += " }";
            } else {
                self.write(text, node.range.clone(), nodes);
            }
            match node.form {
                Form::Expression => self.text.push(')'),
                Form::Iterator => self.text += &") }".repeat(node.variants.len()),
                _ => {}
            }
            let mutants = node.variants.iter().map(|(number, _)| *number).collect();
            self.regions.push((start..self.text.len(), mutants));
        }
        self.text += text.get(position..range.end).unwrap_or_default();
    }
}

/// Finds the expressions and match arms of mutations.
struct Finder<'a> {
    text: &'a str,
    /// Mutations other than those of function bodies, by their start.
    mutants: BTreeMap<usize, Vec<(usize, &'a Mutant)>>,
    nodes: BTreeMap<(usize, usize, Form), Node>,
}

impl<'a> Finder<'a> {
    fn add(&mut self, range: Range<usize>, form: Form, number: usize, variant: String) {
        let key = (range.start, range.end, form);
        let node = self.nodes.entry(key).or_insert_with(|| Node { range, form, variants: Vec::new() });
        node.variants.push((number, variant));
    }

    fn at(&self, start: usize, genre: &str) -> Vec<(usize, &'a Mutant)> {
        let mutants = self.mutants.get(&start).into_iter().flatten().copied();
        mutants.filter(|(_, mutant)| mutant.genre == genre).collect()
    }

    /// Adds the mutations of a kind that start at `start`, as alternatives to the expression in `range`.
    fn replace_in(&mut self, range: &Range<usize>, start: usize, genre: &str) {
        for (number, mutant) in self.at(start, genre) {
            let inner = mutant.range(self.text);
            let before = self.text.get(range.start..inner.start).unwrap_or_default();
            let after = self.text.get(inner.end..range.end).unwrap_or_default();
            let variant = [before, &mutant.replacement, after].concat();
            self.add(range.clone(), Form::Expression, number, variant);
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_expr_binary(&mut self, expression: &'ast syn::ExprBinary) {
        if !has_let(&expression.left) && !has_let(&expression.right) {
            let operator = expression.op.span().byte_range().start;
            self.replace_in(&expression.span().byte_range(), operator, "BinaryOperator");
        }
        visit::visit_expr_binary(self, expression);
    }

    fn visit_expr_unary(&mut self, expression: &'ast syn::ExprUnary) {
        let operator = expression.op.span().byte_range().start;
        self.replace_in(&expression.span().byte_range(), operator, "UnaryOperator");
        visit::visit_expr_unary(self, expression);
    }

    fn visit_expr_struct(&mut self, expression: &'ast syn::ExprStruct) {
        for field in &expression.fields {
            let start = field.span().byte_range().start;
            self.replace_in(&expression.span().byte_range(), start, "StructField");
        }
        visit::visit_expr_struct(self, expression);
    }

    fn visit_expr_match(&mut self, expression: &'ast syn::ExprMatch) {
        for arm in &expression.arms {
            for (number, _) in self.at(arm.span().byte_range().start, "MatchArm") {
                self.add(expression.expr.span().byte_range(), Form::Matched, number, String::new());
            }
        }
        visit::visit_expr_match(self, expression);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let deletions = self.at(arm.span().byte_range().start, "MatchArm");
        match &arm.pat {
            syn::Pat::Guard(pattern) => {
                let range = pattern.guard.span().byte_range();
                for (number, _) in deletions {
                    self.add(range.clone(), Form::Expression, number, "false".to_owned());
                }
                self.replace_in(&range, range.start, "MatchArmGuard");
            }
            pattern => {
                let end = pattern.span().byte_range().end;
                for (number, _) in deletions {
                    self.add(end..end, Form::Arm, number, String::new());
                }
            }
        }
        visit::visit_arm(self, arm);
    }
}

/// True for a `let` in a condition, which has no value.
fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the text with mutations, each as genre, text and replacement. The text occurs once.
    fn check(text: &str, mutants: &[(&str, &str, &str)], expected: &str) {
        let mutant = |(genre, part, replacement): &(&str, &str, &str)| {
            let at = text.find(part).unwrap();
            let position = |at: usize| {
                let lines: Vec<&str> = text.split_at(at).0.split('\n').collect();
                Position { line: lines.len(), column: lines[lines.len() - 1].chars().count() + 1 }
            };
            Mutant {
                name: (*part).to_owned(),
                file: "src/a.rs".to_owned(),
                genre: (*genre).to_owned(),
                replacement: (*replacement).to_owned(),
                start: position(at),
                end: position(at + part.len()),
            }
        };
        let mutants: Vec<Mutant> = mutants.iter().map(mutant).collect();
        let numbered: Vec<(usize, &Mutant)> = mutants.iter().enumerate().collect();
        let schema = Schema::new(text, &numbered).unwrap();
        assert_eq!(schema.text.replace(IS_ACTIVE, "on").replace(EITHER, "E"), expected);
        syn::parse_file(&schema.text).unwrap();
        for number in 0..mutants.len() {
            let call = schema.text.find(&format!("{IS_ACTIVE}({number})")).unwrap();
            assert_eq!(schema.mutants_at(&(call..call + 1)), Some([number].as_slice()), "{expected}");
        }
    }

    #[test]
    fn each_kind_of_mutation_has_its_form() {
        check(
            "fn ä() -> bool { a < 1 && !g() }",
            &[
                ("FnValue", "a < 1 && !g()", "true"),
                ("BinaryOperator", "<", "=="),
                ("BinaryOperator", "&&", "||"),
                ("UnaryOperator", "!", ""),
            ],
            "fn ä() -> bool { if on(0) { return true; } (if on(2) { a < 1 || !g() } else { (if on(1) { a == 1 } \
             else { a < 1 }) && (if on(3) { g() } else { !g() }) }) }",
        );
        check(
            "fn f() { match x { A => 1, B if b => 2, C if third => 3, _ => 4 } }",
            &[
                ("MatchArm", "A => 1,", ""),
                ("MatchArm", "B if b => 2,", ""),
                ("MatchArmGuard", "third", "true"),
            ],
            "fn f() { match x { A if !on(0) => 1, B if (if on(1) { false } else { b }) => 2, \
             C if (if on(2) { true } else { third }) => 3, _ => 4 } }",
        );
        check(
            "fn f() -> impl Iterator<Item = u8> { a.iter() }",
            &[("FnValue", "a.iter()", "::std::iter::empty()")],
            "fn f() -> impl Iterator<Item = u8> { if on(0) { E::Left(::std::iter::empty()) } else { \
             E::Right({ a.iter() }) } }",
        );
        check(
            "fn f() -> S {\n    S { a: 1, ..s }\n}",
            &[("StructField", "a: 1,", "")],
            "fn f() -> S {\n    (if on(0) { S {  ..s } } else { S { a: 1, ..s } })\n}",
        );
    }

    /// A `let` in a condition has no value, so the operator beside it stays as it is.
    #[test]
    fn conditions_with_let_are_left_alone() {
        let text = "fn f() { if let Some(a) = b && a < 1 {} }";
        let (mut finder, file) = (
            Finder { text, mutants: BTreeMap::new(), nodes: BTreeMap::new() },
            syn::parse_file(text).unwrap(),
        );
        let and = Mutant {
            name: String::new(),
            file: String::new(),
            genre: "BinaryOperator".to_owned(),
            replacement: "||".to_owned(),
            start: Position { line: 1, column: 29 },
            end: Position { line: 1, column: 31 },
        };
        assert_eq!(text.get(and.range(text)), Some("&&"));
        finder.mutants.insert(and.range(text).start, vec![(0, &and)]);
        finder.visit_file(&file);
        assert!(finder.nodes.is_empty());
    }
}
