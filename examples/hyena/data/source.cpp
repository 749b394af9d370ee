#include "examples/hyena/data/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "framework/base/error.h"

namespace crocuta::hyena {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw IoError(str("data: '", printable(path), "': ", why));
}

class File {
 public:
  // O_NONBLOCK: opening a FIFO that nobody writes to would otherwise wait forever.
  explicit File(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    if (fd_ < 0) refuse(path, str("cannot be opened: ", std::strerror(errno)));
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Source describe(const std::string& path, const struct stat& s) {
  return {path,
          s.st_size,
          s.st_mtim.tv_sec * 1'000'000'000 + s.st_mtim.tv_nsec,
          static_cast<std::uint64_t>(s.st_dev),
          static_cast<std::uint64_t>(s.st_ino),
          0};
}

bool same_file(const Source& a, const Source& b) {
  return a.bytes == b.bytes && a.modified == b.modified && a.inode == b.inode &&
         a.device == b.device;
}

void require_size(const Source& before, std::int64_t bytes) {
  if (bytes == before.bytes) return;
  refuse(before.path,
         str("changed while in use: it had ", before.bytes, " bytes, now it has ", bytes));
}

}  // namespace

Source read_source(const std::string& path, const std::function<void(std::string_view)>& piece) {
  const File file(path);
  struct stat status;
  if (::fstat(file.fd(), &status) != 0) refuse(path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) refuse(path, "is a directory; name the files in it");
  if (!S_ISREG(status.st_mode)) refuse(path, "is not a regular file");
  if (status.st_size == 0) throw FormatError(str("data: '", printable(path), "': is empty"));
  Source source = describe(path, status);
  source.hash = fingerprint(nullptr, 0);

  std::vector<char> buffer(std::size_t{1} << 20);
  std::int64_t total = 0;
  for (;;) {
    const ssize_t got = ::read(file.fd(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(path, str("cannot be read: ", std::strerror(errno)));
    if (got == 0) break;
    const auto bytes = static_cast<std::size_t>(got);
    total += got;
    source.hash =
        fingerprint(reinterpret_cast<const std::uint8_t*>(buffer.data()), bytes, source.hash);
    piece({buffer.data(), bytes});
  }
  require_size(source, total);
  if (::fstat(file.fd(), &status) != 0) refuse(path, std::strerror(errno));
  if (!same_file(source, describe(path, status))) {
    refuse(path, "changed while in use: it was written to while it was read");
  }
  return source;
}

void require_unchanged(std::vector<Source>& sources) {
  for (Source& source : sources) {
    struct stat status;
    if (::stat(source.path.c_str(), &status) != 0) {
      refuse(source.path, str("changed while in use: ", std::strerror(errno)));
    }
    if (same_file(source, describe(source.path, status))) continue;
    require_size(source, status.st_size);
    const Source now = read_source(source.path, [](std::string_view) {});
    if (now.hash != source.hash) {
      refuse(source.path, "changed while in use: its contents are not what was read");
    }
    source = now;
  }
}

std::uint64_t fingerprint(const std::uint8_t* bytes, std::size_t count, std::uint64_t hash) {
  for (std::size_t i = 0; i < count; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

}  // namespace crocuta::hyena
