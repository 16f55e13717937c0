//! Lines of the table: a figure, and whether it is what was wanted.

pub fn told(what: &str, figure: f64, unit: &str) {
    println!("{}", line(what, figure, unit));
}

pub fn at_most(what: &str, figure: f64, most: f64, unit: &str) {
    let verdict = if figure <= most { "reached" } else { "MISSED" };
    println!(
        "{}   wanted at most {most} {unit}: {verdict}",
        line(what, figure, unit)
    );
}

pub fn at_least(what: &str, figure: f64, least: f64, unit: &str) {
    let verdict = if figure >= least { "reached" } else { "MISSED" };
    println!(
        "{}   wanted at least {least} {unit}: {verdict}",
        line(what, figure, unit)
    );
}

fn line(what: &str, figure: f64, unit: &str) -> String {
    let decimals = if figure < 100.0 { 2 } else { 0 };
    format!("  {what:<40} {figure:>10.decimals$} {unit:<12}")
}
