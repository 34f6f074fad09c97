use proptest::prelude::*;

use super::*;

/// The values of RFC 6570, section 3.2.
fn values() -> Entries<TemplateValue> {
    [
        ("count", ["one", "two", "three"].into()),
        ("dom", ["example", "com"].into()),
        ("dub", "me/too".into()),
        ("hello", "Hello World!".into()),
        ("half", "50%".into()),
        ("var", "value".into()),
        ("who", "fred".into()),
        ("base", "http://example.com/home/".into()),
        ("path", "/foo/bar".into()),
        ("list", ["red", "green", "blue"].into()),
        ("keys", [("semi", ";"), ("dot", "."), ("comma", ",")].into()),
        ("v", "6".into()),
        ("x", "1024".into()),
        ("y", "768".into()),
        ("empty", "".into()),
        ("empty_keys", TemplateValue::Pairs(Vec::new())),
    ]
    .into()
}

#[test]
fn r_07_the_vectors_of_rfc_6570_expand() {
    // Sections 3.2.1 to 3.2.9.
    let vectors = [
        ("{count}", "one,two,three"),
        ("{count*}", "one,two,three"),
        ("{/count}", "/one,two,three"),
        ("{/count*}", "/one/two/three"),
        ("{;count}", ";count=one,two,three"),
        ("{;count*}", ";count=one;count=two;count=three"),
        ("{?count}", "?count=one,two,three"),
        ("{?count*}", "?count=one&count=two&count=three"),
        ("{&count*}", "&count=one&count=two&count=three"),
        ("{var}", "value"),
        ("{hello}", "Hello%20World%21"),
        ("{half}", "50%25"),
        ("O{empty}X", "OX"),
        ("O{undef}X", "OX"),
        ("{x,y}", "1024,768"),
        ("{x,hello,y}", "1024,Hello%20World%21,768"),
        ("?{x,empty}", "?1024,"),
        ("?{x,undef}", "?1024"),
        ("?{undef,y}", "?768"),
        ("{var:3}", "val"),
        ("{var:30}", "value"),
        ("{list}", "red,green,blue"),
        ("{list*}", "red,green,blue"),
        ("{keys}", "semi,%3B,dot,.,comma,%2C"),
        ("{keys*}", "semi=%3B,dot=.,comma=%2C"),
        ("{+var}", "value"),
        ("{+hello}", "Hello%20World!"),
        ("{+half}", "50%25"),
        ("{base}index", "http%3A%2F%2Fexample.com%2Fhome%2Findex"),
        ("{+base}index", "http://example.com/home/index"),
        ("O{+empty}X", "OX"),
        ("O{+undef}X", "OX"),
        ("{+path}/here", "/foo/bar/here"),
        ("here?ref={+path}", "here?ref=/foo/bar"),
        ("up{+path}{var}/here", "up/foo/barvalue/here"),
        ("{+x,hello,y}", "1024,Hello%20World!,768"),
        ("{+path,x}/here", "/foo/bar,1024/here"),
        ("{+path:6}/here", "/foo/b/here"),
        ("{+list}", "red,green,blue"),
        ("{+list*}", "red,green,blue"),
        ("{+keys}", "semi,;,dot,.,comma,,"),
        ("{+keys*}", "semi=;,dot=.,comma=,"),
        ("{#var}", "#value"),
        ("{#hello}", "#Hello%20World!"),
        ("{#half}", "#50%25"),
        ("foo{#empty}", "foo#"),
        ("foo{#undef}", "foo"),
        ("{#x,hello,y}", "#1024,Hello%20World!,768"),
        ("{#path,x}/here", "#/foo/bar,1024/here"),
        ("{#path:6}/here", "#/foo/b/here"),
        ("{#list}", "#red,green,blue"),
        ("{#list*}", "#red,green,blue"),
        ("{#keys}", "#semi,;,dot,.,comma,,"),
        ("{#keys*}", "#semi=;,dot=.,comma=,"),
        ("{.who}", ".fred"),
        ("{.who,who}", ".fred.fred"),
        ("{.half,who}", ".50%25.fred"),
        ("www{.dom*}", "www.example.com"),
        ("X{.var}", "X.value"),
        ("X{.empty}", "X."),
        ("X{.undef}", "X"),
        ("X{.var:3}", "X.val"),
        ("X{.list}", "X.red,green,blue"),
        ("X{.list*}", "X.red.green.blue"),
        ("X{.keys}", "X.semi,%3B,dot,.,comma,%2C"),
        ("X{.keys*}", "X.semi=%3B.dot=..comma=%2C"),
        ("X{.empty_keys}", "X"),
        ("X{.empty_keys*}", "X"),
        ("{/who}", "/fred"),
        ("{/who,who}", "/fred/fred"),
        ("{/half,who}", "/50%25/fred"),
        ("{/who,dub}", "/fred/me%2Ftoo"),
        ("{/var}", "/value"),
        ("{/var,empty}", "/value/"),
        ("{/var,undef}", "/value"),
        ("{/var,x}/here", "/value/1024/here"),
        ("{/var:1,var}", "/v/value"),
        ("{/list}", "/red,green,blue"),
        ("{/list*}", "/red/green/blue"),
        ("{/list*,path:4}", "/red/green/blue/%2Ffoo"),
        ("{/keys}", "/semi,%3B,dot,.,comma,%2C"),
        ("{/keys*}", "/semi=%3B/dot=./comma=%2C"),
        ("{;who}", ";who=fred"),
        ("{;half}", ";half=50%25"),
        ("{;empty}", ";empty"),
        ("{;v,empty,who}", ";v=6;empty;who=fred"),
        ("{;v,bar,who}", ";v=6;who=fred"),
        ("{;x,y}", ";x=1024;y=768"),
        ("{;x,y,empty}", ";x=1024;y=768;empty"),
        ("{;x,y,undef}", ";x=1024;y=768"),
        ("{;hello:5}", ";hello=Hello"),
        ("{;list}", ";list=red,green,blue"),
        ("{;list*}", ";list=red;list=green;list=blue"),
        ("{;keys}", ";keys=semi,%3B,dot,.,comma,%2C"),
        ("{;keys*}", ";semi=%3B;dot=.;comma=%2C"),
        ("{?who}", "?who=fred"),
        ("{?half}", "?half=50%25"),
        ("{?x,y}", "?x=1024&y=768"),
        ("{?x,y,empty}", "?x=1024&y=768&empty="),
        ("{?x,y,undef}", "?x=1024&y=768"),
        ("{?var:3}", "?var=val"),
        ("{?list}", "?list=red,green,blue"),
        ("{?list*}", "?list=red&list=green&list=blue"),
        ("{?keys}", "?keys=semi,%3B,dot,.,comma,%2C"),
        ("{?keys*}", "?semi=%3B&dot=.&comma=%2C"),
        ("{&who}", "&who=fred"),
        ("{&half}", "&half=50%25"),
        ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
        ("{&x,y,empty}", "&x=1024&y=768&empty="),
        ("{&var:3}", "&var=val"),
        ("{&list}", "&list=red,green,blue"),
        ("{&list*}", "&list=red&list=green&list=blue"),
        ("{&keys}", "&keys=semi,%3B,dot,.,comma,%2C"),
        ("{&keys*}", "&semi=%3B&dot=.&comma=%2C"),
    ];
    for (template, uri) in vectors {
        assert_eq!(template.parse::<UriTemplate>().unwrap().expand(&values()), uri, "{template}");
    }
}

#[test]
fn prefixes_count_characters_and_triplets_pass_where_reserved_ones_do() {
    let expand =
        |template: &str, value: &str| template.parse::<UriTemplate>().unwrap().expand(&[("v", value.into())].into());
    assert_eq!(expand("{v:2}", "äöü"), "%C3%A4%C3%B6");
    assert_eq!(expand("{+v}", "a%20b%2"), "a%20b%252");
    assert_eq!(expand("{v}", "a%20b"), "a%2520b");
    assert_eq!(expand("übung/{v}%zz", "1"), "%C3%BCbung/1%25zz");
}

#[test]
fn a_name_beyond_ascii_is_encoded_where_it_is_written() {
    let expand = |template: &str, value: TemplateValue| {
        template.parse::<UriTemplate>().unwrap().expand(&[("größe", value)].into())
    };
    assert_eq!(expand("{?größe}", "ä".into()), "?gr%C3%B6%C3%9Fe=%C3%A4");
    assert_eq!(expand("{;größe}", "".into()), ";gr%C3%B6%C3%9Fe");
    assert_eq!(expand("{&größe*}", ["a", "b"].into()), "&gr%C3%B6%C3%9Fe=a&gr%C3%B6%C3%9Fe=b");
}

#[test]
fn broken_templates_are_errors_that_quote_them() {
    for template in ["{", "a}b", "{}", "{a", "{a,}", "{a:0}", "{a:10000}", "{a:x}", "{=a}", "{|a}", "{a b}", "{a{b}}"] {
        let error = template.parse::<UriTemplate>().unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot read the uri template \"{template}\": ")), "{error}");
    }
}

#[test]
fn a_resource_template_expands() {
    let template = ResourceTemplate::new("note://{user-id}/{+path}", "notes");
    let uri = template.expand(&[("user-id", "7".into()), ("path", "a/b".into())].into());
    assert_eq!(uri.unwrap(), "note://7/a/b");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_what_comes_out_is_ascii(template: String, value: String) {
        if let Ok(template) = template.parse::<UriTemplate>() {
            let values = template.variables().map(|name| (name.to_owned(), value.as_str().into())).collect();
            prop_assert!(template.expand(&values).is_ascii());
        }
    }
}
