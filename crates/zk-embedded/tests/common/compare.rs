//! Compares two transcripts, and shows where they part.

use std::fmt::Write as _;

/// Lines shown before and after a difference.
const CONTEXT: usize = 4;

/// Returns a readable difference, or `None` if both are the same.
pub(crate) fn difference(expected: &[String], got: &[String]) -> Option<String> {
    let (expected, got) = (without_unheard(expected), without_unheard(got));
    if expected == got {
        return None;
    }
    let merged = merge(&expected, &got);
    let mut text = String::new();
    let mut shown = 0;
    for (index, (sign, line)) in merged.iter().enumerate() {
        let near = index.saturating_sub(CONTEXT)..(index + CONTEXT + 1).min(merged.len());
        if merged[near].iter().any(|(sign, _)| *sign != ' ') {
            if shown < index {
                text.push_str("      ...\n");
            }
            let _ = writeln!(text, "    {sign} {line}");
            shown = index + 1;
        }
    }
    Some(text)
}

/// Leaves out what was asked on a connection that was being closed: whether a client still gets to send
/// that, before it sees the end, is a matter of microseconds.
fn without_unheard(lines: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(lines.len());
    for line in lines {
        let (who, what) = line.split_at(line.find(['<', '>']).unwrap_or(0));
        let what = what.trim_start_matches('<').trim();
        let already = what == "is closed already";
        if !who.is_empty() && (what == "closed" || already) {
            let asked = format!("{who}>");
            let own = |line: &String| line.starts_with(who);
            while let Some(at) = kept.iter().rposition(own).filter(|at| kept[*at].starts_with(&asked)) {
                kept.remove(at);
            }
        }
        if !already {
            kept.push(line.clone());
        }
    }
    kept
}

/// Merges by a longest common subsequence: `-` is expected and missing, `+` is what came instead.
fn merge<'a>(expected: &'a [String], got: &'a [String]) -> Vec<(char, &'a str)> {
    let width = got.len() + 1;
    let mut common = vec![0_u32; (expected.len() + 1) * width];
    for left in (0..expected.len()).rev() {
        for right in (0..got.len()).rev() {
            common[left * width + right] = if expected[left] == got[right] {
                common[(left + 1) * width + right + 1] + 1
            } else {
                common[(left + 1) * width + right].max(common[left * width + right + 1])
            };
        }
    }
    let (mut left, mut right, mut merged) = (0, 0, Vec::new());
    while left < expected.len() || right < got.len() {
        if left < expected.len() && right < got.len() && expected[left] == got[right] {
            merged.push((' ', expected[left].as_str()));
            (left, right) = (left + 1, right + 1);
        } else if right == got.len()
            || (left < expected.len()
                && common[(left + 1) * width + right] >= common[left * width + right + 1])
        {
            merged.push(('-', expected[left].as_str()));
            left += 1;
        } else {
            merged.push(('+', got[right].as_str()));
            right += 1;
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::difference;

    fn lines(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn equal_transcripts_have_no_difference() {
        assert_eq!(difference(&lines("a b c"), &lines("a b c")), None);
    }

    #[test]
    fn a_difference_shows_missing_and_unexpected_lines() {
        let text = difference(&lines("a b c"), &lines("a x c")).expect("they differ");
        assert_eq!(text, "      a\n    - b\n    + x\n      c\n");
    }

    #[test]
    fn transcripts_in_another_order_differ() {
        let text = difference(&lines("a b"), &lines("b a")).expect("they differ");
        assert!(text.contains("- a") && text.contains("+ a"), "{text}");
    }

    #[test]
    fn a_difference_shows_only_nearby_lines() {
        let text = difference(&lines("1 2 3 4 5 6 7"), &lines("1 2 3 4 5 6 x")).expect("they differ");
        assert!(text.starts_with("      ...\n      3\n"), "{text}");
    }
}
