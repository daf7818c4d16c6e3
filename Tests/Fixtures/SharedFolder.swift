import Glibc

/// What lies beside the repository, where it is there: nothing that the project is made of.
package enum SharedFolder {
    /// A file or folder in a folder `shared` beside one of the folders above this file; nil where it isn't there.
    package static func path(of name: String) -> String? {
        var folder = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        for _ in 0..<4 {
            let candidate = folder + "/../shared/" + name
            if access(candidate, R_OK) == 0 { return candidate }
            folder += "/.."
        }
        return nil
    }
}
