/// A file that is written under a temporary name and then takes the place of another.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace plumb {

/// The new content of `target`, in a file beside it that is called target.PID-N@HOST.part and locked while it
/// is open, so that another process can tell it from one whose writer died. Removed unless it replaced
/// `target`. The first one of a process in a folder removes what dead processes left there.
class ReplacementFile {
 public:
  /// Throws DataError naming `target` and the reason, as the other functions do.
  explicit ReplacementFile(std::filesystem::path target);
  ReplacementFile(const ReplacementFile&) = delete;
  ReplacementFile& operator=(const ReplacementFile&) = delete;
  ~ReplacementFile();

  void write(std::string_view bytes);
  /// Forces what was written to the disk.
  void flush();
  /// Takes the place of `target`, whose former content stands until then.
  void replace();

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path target_, path_;
  int descriptor_ = -1;
  bool placed_ = false;
};

/// Removes the .part files in `folder` whose writers are gone: processes of this host, of which none has that
/// number any more or only one that was started after the file was written, and nobody holds the lock. Files
/// of other hosts are left alone, and so is whatever cannot be looked at. Names without a host, as earlier
/// versions wrote them (model.pt.PID.part), count as this host's.
void remove_leftovers(const std::filesystem::path& folder);

}  // namespace plumb
