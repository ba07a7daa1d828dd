//! JUnit XML for CI systems.

use super::Suite;

pub fn render(suites: &[Suite]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in suites {
        let failures = suite.ran.iter().filter(|ran| !ran.differences.is_empty()).count();
        text.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">\n",
            escaped(&suite.name),
            suite.ran.len(),
        ));
        let coverage = &suite.coverage;
        let properties = [
            ("config", coverage.config.clone()),
            ("rules", coverage.rules().to_string()),
            ("rules.reached", coverage.reached().to_string()),
            ("rules.unreached", coverage.unreached().join(", ")),
        ];
        text.push_str("    <properties>\n");
        for (name, value) in properties {
            let value = escaped(&value);
            text.push_str(&format!("      <property name=\"authgate.{name}\" value=\"{value}\"/>\n"));
        }
        text.push_str("    </properties>\n");
        for ran in &suite.ran {
            let head = format!(
                "    <testcase classname=\"{}\" name=\"{}\"",
                escaped(&suite.name),
                escaped(&ran.name)
            );
            if ran.differences.is_empty() {
                text.push_str(&format!("{head}/>\n"));
                continue;
            }
            let told = ran.lines();
            let first = told.first().map(String::as_str).unwrap_or_default();
            text.push_str(&format!(
                "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                escaped(first),
                escaped(&told.join("\n")),
            ));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// Escapes text for XML 1.0 (§2.2 and §2.4); characters that XML does not allow become U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push(letter),
            letter if letter.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&letter) => {
                escaped.push('\u{fffd}');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
