/* libobjc.a: classes that register themselves, messages, a category. */
#include <objc/Object.h>
#include <objc/runtime.h>
#include <stdio.h>

@interface Counter : Object {
    int count;
}
+ (id)make;
- (int)add:(int)n;
@end

@implementation Counter
+ (id)make {
    return class_createInstance(self, 0);
}
- (int)add:(int)n {
    return count += n;
}
@end

@interface Counter (More)
- (int)twice;
@end

@implementation Counter (More)
- (int)twice {
    return 2 * count;
}
@end

int main(void) {
    Counter *counter = [Counter make];
    [counter add:3];
    printf("%d %s %d\n", [counter twice], class_getName(object_getClass(counter)), sel_isEqual(@selector(twice), sel_registerName("twice")));
    return 6;
}
