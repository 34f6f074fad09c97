use super::*;

fn paths(host: Host, around: &Surroundings) -> Vec<String> {
    locations(host, around).into_iter().map(|place| place.path.to_string_lossy().into_owned()).collect()
}

fn linux() -> Surroundings {
    Surroundings::new(System::Linux).with_home("/home/u").with_folder("/p")
}

#[test]
fn files_are_where_each_system_has_them() {
    let mac = Surroundings::new(System::MacOs).with_home("/Users/u");
    let windows = Surroundings::new(System::Windows)
        .with_home("C:\\Users\\u")
        .with_env("AppData", "D:\\Roaming")
        .with_folder("C:\\p\\");
    for (host, on_linux, on_mac, on_windows) in [
        (
            Host::ClaudeDesktop,
            "/home/u/.config/Claude/claude_desktop_config.json",
            "/Users/u/Library/Application Support/Claude/claude_desktop_config.json",
            "D:\\Roaming\\Claude\\claude_desktop_config.json",
        ),
        (Host::Cursor, "/home/u/.cursor/mcp.json", "/Users/u/.cursor/mcp.json", "C:\\Users\\u\\.cursor\\mcp.json"),
        (
            Host::Zed,
            "/home/u/.config/zed/settings.json",
            "/Users/u/.config/zed/settings.json",
            "D:\\Roaming\\Zed\\settings.json",
        ),
        (
            Host::Goose,
            "/home/u/.config/goose/config.yaml",
            "/Users/u/.config/goose/config.yaml",
            "D:\\Roaming\\Block\\goose\\config\\config.yaml",
        ),
        (
            Host::Roo,
            "/home/u/.config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
            "/Users/u/Library/Application Support/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
            "D:\\Roaming\\Code\\User\\globalStorage\\rooveterinaryinc.roo-cline\\settings\\mcp_settings.json",
        ),
        (
            Host::Bowline,
            "/home/u/.config/bowline/bowline.toml",
            "/Users/u/.config/bowline/bowline.toml",
            "D:\\Roaming\\bowline\\bowline.toml",
        ),
    ] {
        assert!(paths(host, &linux()).contains(&on_linux.to_owned()), "{host}");
        assert!(paths(host, &mac).contains(&on_mac.to_owned()), "{host}");
        assert!(paths(host, &windows).contains(&on_windows.to_owned()), "{host}");
    }
    assert!(paths(Host::ClaudeCode, &windows).contains(&"C:\\p\\.mcp.json".to_owned()));
}

#[test]
fn a_projects_file_comes_before_the_persons() {
    assert_eq!(paths(Host::Codex, &linux()), ["/p/.codex/config.toml", "/home/u/.codex/config.toml"]);
    let scopes: Vec<Scope> = locations(Host::Roo, &linux()).iter().map(|place| place.scope).collect();
    assert_eq!(scopes, [Scope::Project, Scope::User]);
}

#[test]
fn profiles_of_vs_code_come_behind_what_all_of_them_share() {
    let places = locations(Host::VsCode, &linux());
    let shown = |place: &Location| format!("{} {}", place.path.display(), place.in_each.unwrap_or("-"));
    assert_eq!(
        places.iter().map(shown).collect::<Vec<_>>(),
        [
            "/p/.vscode/mcp.json -",
            "/home/u/.config/Code/User/mcp.json -",
            "/home/u/.config/Code/User/settings.json -",
            "/home/u/.config/Code - Insiders/User/mcp.json -",
            "/home/u/.config/Code - Insiders/User/settings.json -",
            "/home/u/.config/Code/User/profiles mcp.json",
            "/home/u/.config/Code - Insiders/User/profiles mcp.json",
        ]
    );
}

#[test]
fn of_a_folder_so_many_files_are_read_by_name_and_that_there_are_more_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let place = |in_each: Option<&'static str>| Location {
        host: Host::VsCode,
        scope: Scope::User,
        path: folder.path().to_owned(),
        extensions: if in_each.is_some() { &[] } else { &["json"] },
        in_each,
    };
    for n in 0..=MAX_IN_FOLDER {
        std::fs::create_dir(folder.path().join(format!("p{n:03}"))).unwrap();
    }
    std::fs::write(folder.path().join("a.json"), "").unwrap();
    std::fs::write(folder.path().join("b.txt"), "").unwrap();
    let files = place(None).files();
    assert_eq!((files.paths, files.is_cut), (vec![folder.path().join("a.json")], false));
    let files = place(Some("mcp.json")).files();
    assert_eq!((files.paths.len(), files.is_cut), (MAX_IN_FOLDER, true));
    assert_eq!(files.paths.last(), Some(&folder.path().join("p199/mcp.json")));
    let file = Location { path: folder.path().join("no"), ..place(None) };
    assert_eq!(file.files(), Files::default());
}

#[test]
fn variables_move_files() {
    let moved = linux().with_env("XDG_CONFIG_HOME", "/x").with_env("CODEX_HOME", "/c/").with_env("COPILOT_HOME", "");
    assert!(paths(Host::Zed, &moved).contains(&"/x/zed/settings.json".to_owned()));
    assert!(paths(Host::Codex, &moved).contains(&"/c/config.toml".to_owned()));
    assert!(paths(Host::CopilotCli, &moved).contains(&"/home/u/.copilot/mcp-config.json".to_owned()));
    assert!(paths(Host::Bowline, &moved).contains(&"/x/bowline/bowline.toml".to_owned()));
    // What is no absolute path is ignored, as the rules of these folders have it.
    let relative = linux().with_env("XDG_CONFIG_HOME", "x");
    assert!(paths(Host::Zed, &relative).contains(&"/home/u/.config/zed/settings.json".to_owned()));
}

#[test]
fn without_a_home_or_a_project_there_is_less_to_look_at() {
    let nothing = Surroundings::new(System::Linux);
    for host in Host::ALL {
        assert!(locations(*host, &nothing).is_empty(), "{host}");
    }
}
