//! Every mistake in a trace is told with its line, and underlined within the line.

use std::io::Write as _;

use fogbit_scenario::cascade::{TraceRow, read_trace};
use fogbit_scenario::{Fault, Faults};

use crate::common::{check, edited, only_fault, unmark};
use crate::{GOOD, TRACE, folder, read};

// One mistake a line: what it is ¦ what to replace → by what ¦ number of the line ¦ message ¦ help. The
// marks enclose what must be underlined.
const CASES: &str = r#"
no metric ¦ id,split,entropy,weak_loss,strong_loss,reward,metric → «id,split,chaos,weak_loss,strong_loss,reward,m» ¦ 1 ¦ neither a column `metric` nor `entropy` ¦ columns: metric or entropy
a slip in a name ¦ id,split,entropy,weak_loss,strong_loss,reward,metric → id,split,«Entropie»,weak_loss,strong_loss,reward,m ¦ 1 ¦ neither a column `metric` nor `entropy` ¦ did you mean `entropy`?
another case ¦ weak_loss,strong_loss,reward → «Weak_Loss»,strong_loss,gain ¦ 1 ¦ no column `reward` ¦ did you mean `weak_loss`?
no losses ¦ id,split,entropy,weak_loss,strong_loss,reward,metric → «id,split,entropy,a,b,c,metric» ¦ 1 ¦ no column `reward`, and not both `weak_loss` and `strong_loss` ¦ columns:
one loss ¦ id,split,entropy,weak_loss,strong_loss,reward,metric → «id,split,entropy,weak_loss,b,c,metric» ¦ 1 ¦ not both `weak_loss` and `strong_loss` ¦
a column twice ¦ id,split,entropy → id,metric,entropy & reward,metric → reward,«metric» ¦ 1 ¦ two columns are called `metric` ¦ one of them
a value too many ¦ 1,train,1.9,0.9,0.1,0.8,0.6 → «1,train,1.9,0.9,0.1,0.8,0.6,7» ¦ 3 ¦ 8 values for 7 columns ¦ as many values
a decimal comma ¦ 1,train,1.9,0.9,0.1,0.8,0.6 → «1,train,1,9,0.9,0.1,0.8,0.6» ¦ 3 ¦ 8 values for 7 columns ¦ a point in decimal numbers
a value too few ¦ 1,train,1.9,0.9,0.1,0.8,0.6 → «1,train,1.9,0.9,0.1,0.8» ¦ 3 ¦ 6 values for 7 columns ¦
a word ¦ 1,train,1.9,0.9,0.1 → 1,train,«high»,0.9,0.1 ¦ 3 ¦ entropy = `high` is no number ¦
nothing ¦ 1,train,1.9,0.9,0.1 → 1,train,1.9,«»,0.1 ¦ 3 ¦ weak_loss = `` is no number ¦
nan ¦ -0.2,0.1 → -0.2,«nan» ¦ 4 ¦ metric = `nan` is no number ¦
infinity ¦ -0.2,0.1 → -0.2,«inf» ¦ 4 ¦ metric = `inf` is no number ¦
a negative entropy ¦ 0.3,0.1,0.3 → «-0.3»,0.1,0.3 ¦ 4 ¦ entropy = -0.3 is out of range ¦ from 0 to 1000
a negative loss ¦ 0.3,0.1,0.3 → 0.3,«-0.1»,0.3 ¦ 4 ¦ weak_loss = -0.1 is out of range ¦ from 0 to 1000
a loss too large ¦ 0.3,0.1,0.3 → 0.3,0.1,«3e4» ¦ 4 ¦ strong_loss = 30000 is out of range ¦ from 0 to 1000
a metric too large ¦ -0.2,0.1 → -0.2,«-1001» ¦ 4 ¦ metric = -1001 is out of range ¦ from -1000 to 1000
an unknown split ¦ 3,test → 3,«valid» ¦ 5 ¦ split = `valid` is neither train nor test ¦ one of the trials
an id that is no number ¦ 3,test → «c»,test ¦ 5 ¦ id = `c` is no whole number ¦
a negative id ¦ 3,test → «-3»,test ¦ 5 ¦ id = `-3` is no whole number ¦
an id too large ¦ 3,test → «4294967296»,test ¦ 5 ¦ id = 4294967296 is out of range ¦ from 0 to 4294967295
an id twice ¦ 3,test → «1»,test ¦ 5 ¦ the image 1 is already in line 3 ¦ a number of its own
a reward of other losses ¦ 0.7,0.2,0.5,0.4 → 0.7,0.2,«0.4»,0.4 ¦ 5 ¦ reward = 0.4, but weak_loss - strong_loss = 0.5000 ¦ what sending the image gains
no test ¦ id,split,entropy → id,«split»,entropy & 2,test → 2,train & 3,test → 3,train ¦ 1 ¦ no image has split = `test` ¦ images of the trials
nothing to learn from ¦ id,split,entropy → id,«split»,entropy & 0,train → 0,test & 1,train → 1,test ¦ 1 ¦ no image has split = `train` ¦ images to learn from
one metric ¦ reward,metric → reward,«metric» & 0.1,0.05 → 0.1,0.6 ¦ 1 ¦ all images of split train have the metric 0.6 ¦ nothing to decide
one entropy ¦ id,split,entropy → id,split,«entropy» & reward,metric → reward,m & test,0.3 → test,1.5 ¦ 1 ¦ fitted to entropy ¦ nothing to decide
"#;

/// Reads the good topology with this trace.
fn faults(trace: &str, edits: &[(&str, &str)]) -> (tempfile::TempDir, Result<(), Faults>) {
    let folder = folder(trace);
    let result = read(&folder.path().join("test.toml"), &edited(GOOD, edits)).map(|_| ());
    (folder, result)
}

#[test]
fn mistakes_are_underlined() {
    assert!(faults(TRACE, &[]).1.is_ok());
    for line in CASES.lines().filter(|line| !line.is_empty()) {
        let [case, edits, number, message, help] = line.split(" ¦").collect::<Vec<_>>()[..] else {
            panic!("five parts: {line}")
        };
        let edits: Vec<_> =
            edits[1..].split(" & ").map(|edit| edit.split_once(" → ").expect("an arrow")).collect();
        let (text, span) = unmark(&edited(TRACE, &edits));
        let (span, number) = (span.expect("marks"), number.trim().parse::<usize>().unwrap());
        let starts: usize = text.split_inclusive('\n').take(number - 1).map(str::len).sum();
        let (folder, result) = faults(&text, &[]);
        let fault = only_fault(case, result);
        assert!(fault.message.contains(&format!("line {number} of the trace")), "{fault}");
        let name = folder.path().join("trace.csv").display().to_string();
        let place = Some((&*name, span.start - starts..span.end - starts));
        check(case, &fault, message.trim(), help.trim(), place);
        assert_eq!(fault.place.expect("a place").source.first_line, number, "{case}");
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

/// What is read from a file of this name and content.
fn trace(name: &str, bytes: &[u8]) -> Result<Vec<TraceRow>, Fault> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("the trace is written");
    read_trace(&path)
}

#[test]
fn what_is_wrong_with_a_file_as_a_whole() {
    let whole = compressed(TRACE.repeat(2000).as_bytes());
    let latin = TRACE.replacen("0.05", "0.05\u{e9}", 1).replace('\u{e9}', "#");
    let latin: Vec<u8> = latin.bytes().map(|b| if b == b'#' { 0xe9 } else { b }).collect();
    let cases: [(&str, &[u8], &str, &str); 9] = [
        ("t.txt", TRACE.as_bytes(), "has an unknown format", "name it .csv or .csv.gz"),
        ("t.json.gz", &compressed(b"{}"), "has an unknown format", "name it .csv or .csv.gz"),
        ("t.csv", b"", "is empty", "columns: metric or entropy"),
        ("t.csv", b"\n\n", "is empty", "columns: metric or entropy"),
        ("t.csv", b"metric,reward\n", "has no images", ""),
        ("t.csv.gz", TRACE.as_bytes(), "invalid gzip header", "compressed by gzip"),
        ("t.csv.gz", &whole[..whole.len() / 2], "cannot read the trace", "it may be cut off"),
        ("t.csv", &compressed(TRACE.as_bytes()), "compressed, which its name", "name it .csv.gz"),
        ("t.csv", &latin, "line 2 of the trace", "save the file as UTF-8"),
    ];
    for (name, bytes, message, help) in cases {
        let fault = trace(name, bytes).expect_err(message);
        assert!(fault.message.contains(message), "{message}: {fault}");
        let given = fault.help.unwrap_or_default();
        assert!(given.contains(help), "{message}: help `{given}`");
    }
}

#[test]
fn blank_lines_are_passed_over_and_counted() {
    let text = "metric,reward\n0.1,0\n\n\n0.2,x\n";
    let fault = trace("t.csv", text.as_bytes()).expect_err("no number");
    assert!(fault.message.contains("line 5 of"), "{fault}");
}

#[test]
fn columns_in_any_order_with_others_between() {
    let rows = trace("t.csv", TRACE.as_bytes()).unwrap();
    assert_eq!(rows.len(), 4);
    let first = TraceRow {
        id: 0,
        train: true,
        test: false,
        entropy: Some(0.1),
        weak_loss: Some(0.2),
        reward: 0.1,
        metric: 0.05,
    };
    assert_eq!(rows[0], first);
    let turned: String = TRACE
        .lines()
        .map(|line| {
            let v: Vec<&str> = line.split(',').collect();
            format!(" {} ,x,{},\"{}\",{},{},{},{}\r\n", v[6], v[1], v[2], v[0], v[3], v[5], v[4])
        })
        .collect();
    assert_eq!(trace("t.csv", turned.as_bytes()).unwrap(), rows);
    assert_eq!(trace("T.CSV.GZ", &compressed(turned.as_bytes())).unwrap(), rows);
    let marked = [b"\xef\xbb\xbf", turned.as_bytes()].concat();
    assert_eq!(trace("t.csv", &marked).unwrap(), rows, "a byte order mark");
}

#[test]
fn what_is_left_out_is_filled_in() {
    let rows = trace("t.csv", b"metric,reward\n0.5,1\n0.25,0\n").unwrap();
    assert!(rows.iter().all(|row| row.train && row.test && row.weak_loss.is_none()));
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [0, 1]);
    let rows = trace("t.csv", b"metric,strong_loss,reward\n0.5,0.25,0.5\n0.25,0,0\n").unwrap();
    assert_eq!(rows[0].weak_loss, Some(0.75));
    let rows = trace("t.csv", b"metric,strong_loss,weak_loss\n0.5,0.25,0.75\n0.25,0,0\n").unwrap();
    assert_eq!((rows[0].weak_loss, rows[0].reward), (Some(0.75), 0.5));
    // Losses that were rounded before they were written.
    trace("t.csv", b"metric,strong_loss,weak_loss,reward\n1,0.333,1,0.6667\n0,0,0,0\n").unwrap();
}

/// Those of the images to learn from alone.
#[test]
fn metrics_are_fitted_to_entropies() {
    let text =
        "split,entropy,reward\ntrain,1,0\ntrain,2,1\ntest,0,-9\ntest,1,9\ntest,2,9\ntest,7,9\n";
    let rows = trace("t.csv", text.as_bytes()).unwrap();
    let metrics: Vec<f64> = rows.iter().map(|row| row.metric).collect();
    assert_eq!(metrics, [0.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn a_large_trace_is_read() {
    let mut text = "id,split,weak_loss,metric,reward\n".to_owned();
    for i in 0..50_000 {
        let split = ["train", "test"][i % 2];
        text += &format!("{i},{split},{}.5,{},0.25\n", i % 7, i % 11);
    }
    let rows = trace("t.csv", text.as_bytes()).unwrap();
    assert_eq!((rows.len(), rows[49_999].id), (50_000, 49_999));
    assert_eq!((rows[49_999].metric, rows[49_999].weak_loss), (4.0, Some(5.5)));
}
