use super::*;

const SIGNED: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

fn masked(text: &str) -> String {
    mask(text).into_owned()
}

const LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ";

#[test]
fn each_shape_is_taken_out() {
    let aws = format!("AKIA{}", "IOSFODNN7EXAMPLE");
    for (text, clean) in [
        (format!("it is {SIGNED}, see"), "it is [key], see"),
        (format!("id {aws}."), "id [key]."),
        (format!("id {}", aws.replace("AK", "AS")), "id [key]"),
        (
            "postgres://app:hunter2@db:5432/x?y=1".to_owned(),
            "postgres://app:[secret]@db:5432/x?y=1",
        ),
        ("https://:p@ss@host/".to_owned(), "https://:[secret]@host/"),
        (
            "Authorization: Bearer abcdef0123456789.x-y".to_owned(),
            "Authorization: Bearer [secret]",
        ),
        (
            "DB_PASSWORD=hunter\nx".to_owned(),
            "DB_PASSWORD=[secret]\nx",
        ),
        ("passwd:opensesame;".to_owned(), "passwd:[secret];"),
        ("?token=abcd&page=2".to_owned(), "?token=[secret]&page=2"),
        ("password: hunter2".to_owned(), "password: [secret]"),
        (
            "client_secret = 'a b c'".to_owned(),
            "client_secret = '[secret]'",
        ),
        (
            "{\"api_key\": \"x\\\"y\", \"n\": 1}".to_owned(),
            "{\"api_key\": \"[secret]\", \"n\": 1}",
        ),
        (
            "\"{\\\"password\\\":\\\"hunter2\\\",\\\"n\\\":1}\"".to_owned(),
            "\"{\\\"password\\\":\\\"[secret]\\\",\\\"n\\\":1}\"",
        ),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            "aws_secret_access_key = [secret]",
        ),
        (format!("first\\nsk-{}", "x".repeat(20)), "first\\n[key]"),
    ] {
        assert_eq!(masked(&text), clean);
    }
}

#[test]
fn a_private_key_goes_with_its_whole_body() {
    let pem = |line_end: &str| {
        let body = [LINE, LINE, "c2hvcnQ="].join(line_end);
        format!(
            "-----BEGIN RSA PRIVATE KEY-----{line_end}{body}{line_end}-----END RSA PRIVATE KEY-----"
        )
    };
    for end in ["\n", "\r\n", "\\n"] {
        let text = format!("before {} between {} after é", pem(end), pem(end));
        assert_eq!(
            masked(&text),
            "before [key] between [key] after é",
            "{end:?}"
        );
    }
    // Cut off, or with nothing behind it but its name.
    let cut = pem("\n");
    let cut = &cut[..cut.len() - 50];
    assert_eq!(masked(&format!("a {cut}")), "a [key]");
    assert_eq!(
        masked("it begins with -----BEGIN PRIVATE KEY----- and so on."),
        "it begins with [key] and so on."
    );
}

#[test]
fn what_is_no_secret_stays() {
    let long = "y".repeat(40);
    for text in [
        "use sk-short and the task",
        &format!("task-{long}"),
        "eyJhbGciOiJIUzI1NiJ9 alone, and eyJ.a.b",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "https://host:8080/path@2 and http://[::1]:80/ and ssh://git@host/x",
        "postgres://app:$PASSWORD@db and postgres://app:[vault:DB]@db",
        "max_tokens=100, tokens: 20, \"max_tokens\": 4096",
        "a token: the smallest piece of text. Password: required",
        "fn login(password: &str, token: Token) -> bool",
        "if token == other { return token::next(); }",
        "let token = parser2.next();",
        "token=$TOKEN password=${PW} secret=<yours> api_key=*** token=None",
        "{\"password\": \"\", \"token\": null, \"secret\": {\"type\": \"string\"}}",
        "Bearer of bad news; bearer authentication-is-good",
        "keyboard: qwerty1, monkey=banana1",
        "",
    ] {
        assert_eq!(masked(text), text);
        assert!(matches!(mask(text), Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn texts_made_to_be_slow_are_gone_through_once() {
    // Each would take hours if every beginning were followed to the end of the text.
    for piece in [
        "-----BEGIN PRIVATE KEY-----",
        "eyJaaaaaaaaa.",
        "password=\"",
        "http://a:b",
        "token:",
        "Bearer ",
        "-",
        "\\",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let clean = masked(&text);
        assert!(clean.len() <= text.len() + 64, "{piece}");
    }
}
